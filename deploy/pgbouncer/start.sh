# Starts PgBouncer with the password of Postgres, from the environment or (POSTGRES_PASSWORD_FILE) from a file.
set -eu
if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE"); fi
umask 077
# A quotation mark within quotation marks is written twice.
printf '"cool_mint" "%s"\n' "$(printf %s "$POSTGRES_PASSWORD" | sed 's/"/""/g')" > /tmp/userlist.txt
exec pgbouncer /etc/cool-mint/pgbouncer.ini
