"""Maps that someone else made: read with distrust, checked, scored as any method's are."""
