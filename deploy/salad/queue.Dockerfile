# The image of container-group-queue.json: the server with SaladCloud's job queue worker beside it.
# docker build -f deploy/salad/queue.Dockerfile --build-arg BASE=carpool:cuda -t carpool:cuda-queue deploy/salad

ARG BASE=carpool:cuda
FROM ${BASE}
ARG WORKER_VERSION=0.6.0
USER root
ADD https://github.com/SaladTechnologies/salad-cloud-job-queue-worker/releases/download/v${WORKER_VERSION}/salad-http-job-queue-worker_x86_64.tar.gz /tmp/worker.tar.gz
RUN tar -C /usr/local/bin --no-same-owner -xzf /tmp/worker.tar.gz salad-http-job-queue-worker \
  && chmod 755 /usr/local/bin/salad-http-job-queue-worker \
  && rm /tmp/worker.tar.gz
COPY queue-entrypoint.sh /usr/local/bin/queue-entrypoint.sh
USER 10001:10001
ENTRYPOINT ["bash", "/usr/local/bin/queue-entrypoint.sh"]
