# syntax=docker/dockerfile:1
# Cool Mint: one image for every service; `command` says which (start command-service, start query-service,
# start projector). Node runs the TypeScript as it is, so there is nothing to build but the installation.

FROM node:24-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Optional packages are the embedded Postgres, which containers do not need. The only install script among the others
# (protobufjs) checks versions; none is run.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:24-bookworm-slim
ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    PORT=3000 \
    ADMIN_PORT=3001 \
    DATA_DIR=/data \
    DEMO=off \
    npm_config_cache=/tmp/npm \
    npm_config_update_notifier=false
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY . .
# Whatever the umask of the checkout was, the user of the container can read it. Packages are left out: they were installed here,
# and would be in the image twice.
RUN find . -path ./node_modules -prune -o -exec chmod a+rX {} +
# What the start of the command line looks for (scripts/node24.mjs): that these packages are what is to be installed here.
RUN node scripts/mark-installed.mjs
# The keys; a volume over it takes on its owner and mode. The query service passes through, as another user, to the public key.
RUN install -d -o node -g node -m 0711 /data
# Where backups may go, for which a volume takes on the same.
RUN install -d -o node -g node -m 0700 /backups
USER node
VOLUME /data
EXPOSE 3000 3001
STOPSIGNAL SIGTERM
# Healthy when its start has ended, and that may take long (migrations): until then a failure does not count (docs/upgrade.md).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30m --retries=3 \
  CMD ["node", "deploy/healthcheck.mjs"]
ENTRYPOINT ["node", "cli/bin.mjs"]
CMD ["start"]
