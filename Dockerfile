# docker build --target cpu -t carpool:cpu .      (the default target)
# docker build --target cuda -t carpool:cuda .    (linux/amd64 only)

ARG NODE_IMAGE=node:24-bookworm-slim
ARG CUDA_IMAGE=nvidia/cuda:12.8.1-cudnn-runtime-ubuntu24.04

FROM ${NODE_IMAGE} AS base
WORKDIR /app
# onnxruntime-node's install step would fetch the CUDA provider, which only the CUDA image wants.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./

FROM base AS build
RUN npm ci
COPY tsconfig.json ./
COPY src ./src
COPY web ./web
# The build packs the pages by them.
COPY scripts/pack-docs.js scripts/pack-files.js scripts/pack-site.js scripts/pack-web.js scripts/site-pages.js ./scripts/
# The site of the docs is made from them.
COPY README.md CONTRIBUTING.md CHANGELOG.md ./
COPY docs ./docs
COPY deploy/README.md ./deploy/
COPY bench/README.md ./bench/
COPY load-tests/README.md ./load-tests/
RUN npm run build

FROM base AS modules
# The package brings its libraries for every platform; those of Windows and macOS are 220 MB.
RUN npm ci --omit=dev \
  && rm -rf node_modules/onnxruntime-node/bin/napi-v6/win32 node_modules/onnxruntime-node/bin/napi-v6/darwin

FROM modules AS modules-cuda
# The script ends well when it has nothing to do, so look for what it should have brought.
RUN ONNXRUNTIME_NODE_INSTALL=true node node_modules/onnxruntime-node/script/install.js \
  && test -f node_modules/onnxruntime-node/bin/napi-v6/linux/x64/libonnxruntime_providers_cuda.so

# What both images hold, whatever the device. Mount a folder over /app/models to serve others.
FROM scratch AS app
COPY package.json LICENSE /app/
COPY --from=build /app/dist/src /app/dist/src
COPY models /app/models

FROM ${CUDA_IMAGE} AS cuda
WORKDIR /app
# ffmpeg decodes and writes compressed audio, espeak-ng gives phonemes of texts (docs/tasks.md); WAV and voices that read letters need neither. The locale is what ONNX's StringNormalizer takes by default.
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg espeak-ng locales \
  && localedef -i en_US -f UTF-8 en_US.UTF-8 && rm -rf /var/lib/apt/lists/*
COPY --from=base /usr/local/bin/node /usr/local/bin/node
# Fails the build, not the start, if the base lacks a library that Node needs.
RUN node --version
COPY --from=modules-cuda /app/node_modules ./node_modules
COPY --from=app /app ./
# Pulls make folders in it; the models that ship stay root's.
RUN chown 10001:10001 models
# TEI_PORT counts only with MODEL_ID, for users of TEI's image (docs/tei.md).
ENV NODE_ENV=production MODELS_DIR=/app/models TEI_PORT=80
# glibc gives memory back: docs/tuning.md.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=4194304
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://localhost:${process.env.PORT || (process.env.MODEL_ID ? 80 : 8000)}/health`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/cli.js", "serve"]

FROM ${NODE_IMAGE} AS cpu
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends ffmpeg espeak-ng locales \
  && localedef -i en_US -f UTF-8 en_US.UTF-8 && rm -rf /var/lib/apt/lists/*
COPY --from=modules /app/node_modules ./node_modules
COPY --from=app /app ./
# Pulls make folders in it; the models that ship stay root's.
RUN chown 10001:10001 models
# TEI_PORT counts only with MODEL_ID, for users of TEI's image (docs/tei.md).
ENV NODE_ENV=production MODELS_DIR=/app/models TEI_PORT=80
# glibc gives memory back: docs/tuning.md.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=1048576 MALLOC_TRIM_THRESHOLD_=4194304
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://localhost:${process.env.PORT || (process.env.MODEL_ID ? 80 : 8000)}/health`).then((reply) => process.exit(reply.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "dist/src/cli.js", "serve"]
