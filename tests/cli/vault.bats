# cella vault, key new --type owner, and what status says of a vault, with real instances.
load common

setup() {
    cella_setup
    probe="$CELLA_BIN/../tests/enclaves/vault-probe"
    development_key="$CELLA_SOURCE/cmake/INSECURE-development-signing-key.pem"
    cella sim new machine
}
teardown() { cella_teardown; }

# do_call TEXT: calls the probe and leaves its answer in $output.
do_call() {
    printf '%s' "$*" >request
    run_cella call probe --state state --data request
    expect_ok
}

# start_probe [IMAGE]: a host that serves it as "probe".
start_probe() {
    rm -f host.log
    start_host --state state --machine machine --image probe="${1:-$probe.enclave}"
}

stop_probe() {
    kill -TERM "$host_pid"
    wait_gone "$host_pid"
}

# make_owned_image [COUNT]: an image whose vault has so many owners, all of whom must sign.
make_owned_image() {
    cella key new owner.pem --type owner >owner-line
    for ((i = 2; i <= ${1:-1}; i++)); do
        cella key new "owner-$i.pem" --type owner >>owner-line
    done
    cat >owned.conf <<END
[enclave]
name = vault-probe
product_id = 8
security_version = 2
debug = true
heap_size = 128M
stack_size = 256K
threads = 4

[vault]
kind = machine
owner_threshold = ${1:-1}
$(cat owner-line)
END
    cella image build "$probe.elf" --config owned.conf --out owned.unsigned >/dev/null
    cella image sign owned.unsigned --key "$development_key" --out owned.enclave >/dev/null
}

@test "a vault is listed, shown and explained while it serves and afterwards" {
    run_cella vault list --state state
    expect_ok
    [ -z "$output" ]
    start_probe
    do_call put colour red
    run_cella vault list --state state
    expect_ok
    [[ $output == probe*"in use"* ]]
    run_cella vault show probe --state state --json
    expect_ok
    id=$(jq -r .id <<<"$output")
    [ "$(jq .epoch <<<"$output")" = 1 ]
    [ "$(jq .in_use <<<"$output")" = true ]
    version=$(jq .version <<<"$output")
    run_cella status --state state --json
    [ "$(jq -r '.enclaves[0].vault.id' <<<"$output")" = "$id" ]
    [ "$(jq -r '.enclaves[0].vault.version' <<<"$output")" = "$version" ]
    [ "$(jq -r '.enclaves[0].vault.storage' <<<"$output")" = OK ]
    [[ $(jq -r '.enclaves[0].weak[]' <<<"$output") == *"rollback within an epoch is detected by clients only"* ]]
    run_cella status --state state
    [[ $output == *"vault       $id"* && $output == *"epoch 1, version $version"* ]]
    stop_probe
    run_cella vault show probe --state state
    expect_ok
    [[ $output != *"in use"* && $output == *"$id"* && $output == *"bound to one machine"* ]]
    run_cella vault explain probe --state state
    expect_ok
    [[ $output == *"has the id $id."* && $output == *"It has no owners"* ]]
    run_cella vault explain probe --state state --json
    [ "$(jq '.sentences | length' <<<"$output")" -gt 3 ]
}

@test "state survives a kill of the host, and metrics name the vault" {
    start_probe
    do_call put colour red
    kill -KILL "$host_pid"
    wait_gone "$host_pid"
    start_probe
    do_call get colour
    [ "$output" = red ]
    metrics=$(curl --silent --show-error -H "Authorization: Bearer $(cat state/token)" "$host_url/metrics")
    [[ $metrics == *'cella_vault_epoch{enclave="probe"} 2'* ]]
    [[ $metrics == *'cella_vault_storage_failing{enclave="probe"} 0'* ]]
}

@test "check proves what show only says, and changes nothing" {
    start_probe
    do_call put colour red
    run_cella vault check probe --state state --machine machine --image "$probe.enclave"
    expect_status VAULT_BUSY 7
    stop_probe
    before=$(find state/vaults -type f -exec sha256sum {} + | sort)
    run_cella vault check probe --state state --machine machine --image "$probe.enclave" --json
    expect_ok
    [ "$(jq -r .status <<<"$output")" = OK ]
    [ "$(jq .epoch <<<"$output")" = 1 ]
    [ "$(jq '.keys >= 1' <<<"$output")" = true ]
    [ "$(find state/vaults -type f -exec sha256sum {} + | sort)" = "$before" ]
    run_cella vault check probe --state state --machine machine
    expect_status USAGE 2
    run_cella vault check other --state state --machine machine --image "$probe.enclave"
    expect_status NOT_FOUND 3
}

@test "check names another machine and damage, with the likely cause" {
    start_probe
    do_call put colour red
    stop_probe
    cella sim new other
    run_cella vault check probe --state state --machine other --image "$probe.enclave"
    expect_status VAULT_OTHER_MACHINE 6
    [[ $stderr == *"likely cause: the folder was copied to another machine"* && $stderr == *"hint: "* ]]
    start_probe
    stop_probe
    segment=$(ls state/vaults/probe/segment-* | head -n 1)
    flip_bit "$segment" 1200 "$segment"
    run_cella vault check probe --state state --machine machine --image "$probe.enclave"
    [ "$status" -eq 9 ]
    [[ $stderr == *"[VAULT_"* && $stderr == *"likely cause"* ]]
}

@test "a backup is made while the vault serves, and nothing is overwritten" {
    start_probe
    do_call put colour red
    run_cella vault backup probe one.tar --state state --dry-run
    expect_ok
    [ ! -e one.tar ]
    run_cella vault backup probe one.tar --state state
    expect_ok
    [[ $output == *"read back and found whole"* ]]
    tar tf one.tar | grep -qx genesis
    mkdir plain
    tar xf one.tar -C plain
    (cd plain && sha256sum --check --quiet manifest)
    run_cella vault backup probe one.tar --state state
    expect_status EXISTS 1
    run_cella vault backup nothing two.tar --state state
    expect_status NOT_FOUND 3
}

@test "a raised platform seals the vault anew, and a lowered one cannot open it" {
    start_probe
    do_call put colour red
    run_cella status --state state --json
    [ "$(jq '.enclaves[0].vault.outdated_keys' <<<"$output")" = false ]
    stop_probe
    cella sim set-version machine 4
    run_cella vault check probe --state state --machine machine --image "$probe.enclave"
    expect_ok
    [[ $output == *"keys        of an older platform"* ]]
    start_probe
    local deadline=$((SECONDS + 20))
    while [ "$(cella status --state state --json | jq '.enclaves[0].vault.outdated_keys')" = true ]; do
        ((SECONDS < deadline))
        do_call put colour blue
    done
    stop_probe
    run_cella vault check probe --state state --machine machine --image "$probe.enclave"
    expect_ok
    [[ $output != *"keys        of an older platform"* ]]
    cella sim set-version machine 3
    start_probe
    run_cella status --state state --json
    [ "$(jq -r '.enclaves[0].end_status' <<<"$output")" = KEY_CPU_SVN ]
    run_cella vault explain probe --state state
    expect_ok
    [[ $output == *"[KEY_CPU_SVN]"* && $output == *"Likely cause"* ]]
    stop_probe
    cella sim set-version machine 4
    start_probe
    do_call get colour
    [[ $output == red || $output == blue ]]
}

@test "an old copy is refused, the host stays up and says why, and does not try again and again" {
    start_probe
    do_call put colour red
    cella vault backup probe old.tar --state state
    stop_probe
    start_probe
    do_call put colour blue
    stop_probe
    run_cella vault restore probe old.tar --state state
    expect_ok
    [[ $stderr == *"what was there lies in state/vaults/probe.before-1"* && $stderr == *"clients"* ]]
    start_probe
    run_cella status --state state --json
    [ "$(jq -r '.enclaves[0].end_status' <<<"$output")" = VAULT_STALE ]
    [[ $(jq -r '.enclaves[0].end_hint' <<<"$output") == *"cella vault explain"* ]]
    run_cella vault explain probe --state state
    expect_ok
    [[ $output == *"[VAULT_STALE]"* && $output == *"Likely cause: the disk was restored from an older copy"* ]]
    stop_probe
    # The newest copy is there still, and goes on.
    rm -r state/vaults/probe
    mv state/vaults/probe.before-1 state/vaults/probe
    start_probe
    do_call get colour
    [ "$output" = blue ]
    run_cella vault show probe --state state
    [[ $output != *"last start"* ]]
}

@test "a restore needs a whole backup and a vault that is not in use" {
    start_probe
    cella vault backup probe old.tar --state state
    run_cella vault restore probe old.tar --state state
    expect_status VAULT_BUSY 7
    stop_probe
    head -c 2000 old.tar >cut.tar
    run_cella vault restore probe cut.tar --state state
    expect_status DAMAGED 9
    [ ! -e state/vaults/probe.before-1 ]
    run_cella vault restore probe old.tar --state state --dry-run
    expect_ok
    [ ! -e state/vaults/probe.before-1 ]
    run_cella vault restore probe --state state
    expect_status USAGE 2
}

@test "owners bring a vault back, and it shows" {
    make_owned_image
    start_probe owned.enclave
    do_call put colour red
    cella vault backup probe old.tar --state state
    stop_probe
    start_probe owned.enclave
    do_call put colour blue
    stop_probe
    cella key new stranger.pem --type owner >/dev/null
    run_cella vault restore probe old.tar --state state --machine machine --image owned.enclave --owner-key stranger.pem
    expect_status VAULT_RESTORE 4
    run_cella vault restore probe --state state --machine machine --image owned.enclave --owner-key owner.pem \
        --reason "the test wants it"
    expect_ok
    [[ $output == *"signatures  1 of 1"* ]]
    run_cella vault explain state/vaults/probe/restore
    expect_ok
    [[ $output == *"the test wants it"* && $output == *"they are enough"* ]]
    run_cella vault show probe --state state
    [[ $output == *"waits for the next start"* ]]
    start_probe owned.enclave
    do_call get colour
    [ "$output" = red ]
    run_cella status --state state
    [[ $output == *"lineage 1"* && $output == *"restored by its owners"* ]]
    run_cella vault show probe --state state --json
    [ "$(jq .lineage <<<"$output")" = 1 ]
    [ "$(jq .restore_waits <<<"$output")" = false ]
}

@test "owners who sign one after the other see what they sign, and a half-signed restore stops nothing" {
    make_owned_image 2
    start_probe owned.enclave
    do_call put colour red
    cella vault backup probe old.tar --state state
    stop_probe
    local restore=(vault restore probe --state state --machine machine --image owned.enclave)
    run_cella "${restore[@]}" --owner-key owner.pem
    expect_ok
    [[ $output == *"signatures  1 of 2"* ]]
    start_probe owned.enclave
    do_call put colour blue
    stop_probe
    # The vault has gone on: nobody signs what its image does not find any more.
    run_cella "${restore[@]}" --owner-key owner-2.pem
    expect_status VAULT_RESTORE 4
    [[ $stderr == *"move the file"* ]]
    run_cella vault restore probe old.tar --state state --machine machine --image owned.enclave --owner-key owner.pem
    expect_ok
    run_cella "${restore[@]}" --owner-key owner-2.pem
    expect_ok
    [[ $output == *"signatures  2 of 2"* ]]
    start_probe owned.enclave
    do_call get colour
    [ "$output" = red ]
}

@test "an owner key is made once, shown, and is no signing key" {
    run_cella key new owner.pem --type owner --public owner.pub
    expect_ok
    line=$output
    [[ $line =~ ^owner\ =\ [0-9a-f]{64}$ ]]
    [ "$(stat -c %a owner.pem)" = 600 ]
    run_cella key show owner.pub
    [ "$output" = "$line" ]
    run_cella key show owner.pem --json
    [ "$(jq -r .type <<<"$output")" = owner ]
    run_cella key new owner.pem --type owner
    expect_status EXISTS 1
    run_cella key new other.pem --type warden
    expect_status USAGE 2
}

# vector_field NAME: a field of the worked examples of the vault formats, as bytes.
vector_field() {
    sed -n "s/^$1 = //p" "$CELLA_SOURCE/tests/vectors/state/example.txt" |
        python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'
}

# flip_bit FROM OFFSET TO: a copy with one bit changed.
flip_bit() {
    python3 - "$@" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[int(sys.argv[2])] ^= 1
open(sys.argv[3], "wb").write(data)
END
}

@test "a third party verifies evidence of every kind with nothing but the file" {
    for kind in heads proof testimony; do
        vector_field "evidence_by_$kind" >evidence
        run_cella vault explain ./evidence
        expect_ok
        [[ $output == *"This is a proof of a fork"* && $output == *"owners"* ]]
        size=$(stat -c %s evidence)
        for at in 20 300 500 $((size - 1)); do
            flip_bit evidence "$at" changed
            run_cella vault explain ./changed
            [ "$status" -eq 9 ]
        done
    done
}

@test "explain refuses what is nothing that it knows" {
    echo hello >file
    run_cella vault explain ./file
    expect_status DAMAGED 9
    run_cella vault explain ./file ./file
    expect_status DAMAGED 9
    run_cella vault explain ./file ./file ./file
    expect_status USAGE 2
    run_cella vault explain ./file ./file --genesis ./file
    expect_status DAMAGED 9
    run_cella vault explain nothing --state state
    expect_status NOT_FOUND 3
}
