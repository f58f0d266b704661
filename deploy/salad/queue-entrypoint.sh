#!/usr/bin/env bash
# PID 1 of the queue image: the server and SaladCloud's job queue worker side by side; arguments go to the server.
# A worker that is told to stop drops its job at once, so a signal goes to the server alone, which finishes the job;
# the worker is told last. If either of them ends by itself, so does the container.
set -u

running() { kill -0 "$1" 2>/dev/null; }

asked=false
stop() {
  asked=true
  kill -TERM "$server" 2>/dev/null
}

node dist/src/cli.js serve "$@" &
server=$!
salad-http-job-queue-worker &
worker=$!
trap stop TERM INT

# A trapped signal ends `wait` early: hence the loops.
while running "$server" && running "$worker"; do wait -n "$server" "$worker"; done

code=0
if running "$server" && [ "$asked" = false ]; then
  echo '{"severity":"ERROR","msg":"the job queue worker ended by itself; stopping"}'
  code=1
  kill -TERM "$server"
fi
while running "$server"; do wait "$server"; done
wait "$server" || code=$?

kill -TERM "$worker" 2>/dev/null
wait "$worker"
exit "$code"
