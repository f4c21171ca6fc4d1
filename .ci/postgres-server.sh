# shellcheck shell=bash
# A PostgreSQL of our own in a temporary folder, on a free port of the loopback, with a password.
#
# A server that cannot run as root runs as `postgres`, or whoever LAYERJOULE_CI_POSTGRES_USER names.

# start_postgres PROGRAMS [SETTINGS]: $postgres_url names it; SETTINGS are further ones of the server. stop_postgres ends it and removes its folder.
start_postgres() {
    postgres_bin=$1 postgres_as=()
    local user="" port password settings=${2:-}
    if [ "$(id -u)" = 0 ]; then
        user="${LAYERJOULE_CI_POSTGRES_USER:-postgres}"
        id "$user" >/dev/null 2>&1 || useradd --system --no-create-home "$user"
        postgres_as=(runuser -u "$user" --)
    fi
    postgres_folder=$(mktemp -d)
    # A temporary folder belongs to whoever made it.
    [ -z "$user" ] || chown "$user" "$postgres_folder"
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    port=$(free_port)
    printf '%s' "$password" >"$postgres_folder/password"
    [ -z "$user" ] || chown "$user" "$postgres_folder/password"
    (
        cd /
        "${postgres_as[@]}" "$postgres_bin/initdb" --pgdata "$postgres_folder/data" --username edge \
            --pwfile "$postgres_folder/password" --auth scram-sha-256 --encoding UTF8 >/dev/null
        "${postgres_as[@]}" "$postgres_bin/pg_ctl" --pgdata "$postgres_folder/data" --silent --wait --log "$postgres_folder/log" \
            --options "-c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories=$postgres_folder $settings" start
    )
    postgres_url="postgres://edge:$password@127.0.0.1:$port/postgres"
}

stop_postgres() {
    [ -n "${postgres_folder:-}" ] || return 0
    (cd / && "${postgres_as[@]}" "$postgres_bin/pg_ctl" --pgdata "$postgres_folder/data" --mode immediate --silent stop) || true
    rm -rf "$postgres_folder"
}
