"""plan → train → explain → score, job by job."""
