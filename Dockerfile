# Was never built: the project's own checks have no Docker. The RUN lines are the README's commands,
# which a test compares.
FROM python:3.11
WORKDIR /xaibench
COPY . .
RUN python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/xaibench run
ENTRYPOINT [".venv/bin/xaibench"]
CMD ["--help"]
