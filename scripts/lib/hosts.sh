# A second Docker engine, as on another machine: in a network of its own, behind TLS and SSH.
# Sourced by scripts/test.
# shellcheck shell=bash disable=SC2154

# Addresses of the two ends between here and there (RFC 2544: for tests of networks).
elsewhere_here=198.18.216.1
elsewhere_there=198.18.216.2
elsewhere_space=daas-elsewhere-$$

# Certificates of an authority of this test alone, and keys of SSH.
elsewhere_keys() {
    local folder=$1
    (
        cd "$folder"
        umask 077
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -subj "/CN=authority" -keyout ca.key -out ca.pem
        elsewhere_certificate there "subjectAltName=IP:$elsewhere_there" serverAuth
        elsewhere_certificate cert "subjectAltName=DNS:daas" clientAuth
        mv cert.key key.pem
        ssh-keygen -q -t ed25519 -N "" -f host_key
        ssh-keygen -q -t ed25519 -N "" -f id
        echo "[$elsewhere_there]:2222 $(cut -d' ' -f1,2 host_key.pub)" >known_hosts
    ) 2>&1 | tail -n 5
}

elsewhere_certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.csr"
    printf '%s\nextendedKeyUsage=%s\n' "$2" "$3" >"$1.ext"
    openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile "$1.ext" -out "$1.pem"
}

elsewhere_network() {
    ip netns add "$elsewhere_space"
    ip link add "daas-e$$" type veth peer name inside netns "$elsewhere_space"
    ip address add "$elsewhere_here/30" dev "daas-e$$"
    ip link set "daas-e$$" up
    ip -n "$elsewhere_space" address add "$elsewhere_there/30" dev inside
    ip -n "$elsewhere_space" link set inside up
    ip -n "$elsewhere_space" link set lo up
}

# Runs in the background, in that network; its number is in `started`.
elsewhere_start() {
    # Not by `ip netns exec`, which takes away the control groups.
    nsenter --net="/run/netns/$elsewhere_space" "${@:2}" >"$1" 2>&1 </dev/null &
    started+=($!)
}

elsewhere_up() {
    local folder=$1 socket=$1/docker.sock _
    elsewhere_keys "$folder"
    elsewhere_network
    elsewhere_start "$folder/dockerd.log" dockerd --data-root "$folder/data" \
        --exec-root "$folder/exec" --pidfile "$folder/docker.pid" --bridge none \
        --host "unix://$socket" --host "tcp://$elsewhere_there:2376" --tlsverify \
        --tlscacert "$folder/ca.pem" --tlscert "$folder/there.pem" --tlskey "$folder/there.key"
    mkdir -p /run/sshd
    cat >"$folder/sshd_config" <<END
ListenAddress $elsewhere_there:2222
HostKey $folder/host_key
AuthorizedKeysFile $folder/id.pub
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups 100
SetEnv DOCKER_HOST=unix://$socket
END
    elsewhere_start "$folder/sshd.log" /usr/sbin/sshd -D -e -f "$folder/sshd_config"
    for _ in $(seq 60); do
        docker -H "unix://$socket" version >/dev/null 2>&1 && break
        sleep 0.5
    done
    docker -H "unix://$socket" version >/dev/null || {
        tail -n 20 "$folder/dockerd.log"
        return 1
    }
    docker save daas/editor daas/guard | docker -H "unix://$socket" load
}

# Ends what was started, and nothing else.
elsewhere_down() {
    local folder=$1 pid
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    for pid in "${started[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    ip link delete "daas-e$$" 2>/dev/null || true
    ip netns delete "$elsewhere_space" 2>/dev/null || true
    # What the engine mounted goes with it, but for what it could not.
    grep -o " $folder[^ ]*" /proc/mounts | sort -r | xargs -r -n 1 umount -l 2>/dev/null || true
    rm -rf "$folder"
}

test_hosts() {
    local folder status=0
    local -a started=()
    need_engine
    [[ $(id -u) -eq 0 ]] || skip "only root can start a second engine"
    need_command ip
    need_command openssl
    # Nothing is started by installing it.
    [[ -x /usr/sbin/sshd ]] || RUNLEVEL=1 apt_install "a server of SSH" openssh-server || skip "no sshd"
    docker image inspect daas/editor daas/guard >/dev/null || skip "no images"
    # Not behind the path of a socket that is too long.
    folder=$(mktemp -d "${TMPDIR:-/tmp}/daas-elsewhere.XXXXXX")
    # shellcheck disable=SC2064 # the folder is this one
    trap "elsewhere_down '$folder'" EXIT
    elsewhere_up "$folder"
    DAAS_ELSEWHERE=$folder DAAS_ELSEWHERE_SOCKET=$folder/docker.sock DAAS_REQUIRE_ELSEWHERE=1 \
        DAAS_ELSEWHERE_TLS=tcp://$elsewhere_there:2376 \
        DAAS_ELSEWHERE_SSH=ssh://root@$elsewhere_there:2222 \
        cargo test --workspace --all-features --test docker_elsewhere -- --test-threads 1 \
        | some_tests || status=$?
    return "$status"
}
