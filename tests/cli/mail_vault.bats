# cella mail with an enclave that has a vault: hosts that are killed, disks that are put back.
load common

setup() {
    cella_setup
    probe="$CELLA_BIN/../tests/enclaves/vault-probe.enclave"
    cella sim new machine
    start
    constraint="C:$(cella image show --json "$probe" | jq -r .code_hash) SEC:INSECURE"
    for client in alice bob; do
        cella mail new-key --state $client --url "$host_url" --enclave probe --constraint "$constraint"
    done
}
teardown() { cella_teardown; }

start() {
    rm -f host.log
    start_host --state state --machine machine --image probe="$probe"
}
kill_host() {
    kill -KILL "$host_pid"
    wait_gone "$host_pid"
}
stop_host() {
    kill -TERM "$host_pid"
    wait_gone "$host_pid"
}

# ask CLIENT TEXT: sends it as a request.
ask() {
    printf '%s' "$2" >request
    run_cella mail send --state "$1" --url "$host_url" request
}
# expect_answer CLIENT TEXT ANSWER
expect_answer() {
    ask "$1" "$2"
    expect_ok
    [ "$output" = "$3" ]
}
expect_post() {
    run_cella mail poll --state "$1" --url "$host_url" --wait 5
    expect_ok
    [ "$output" = "$2" ]
}

@test "requests and queries go on over killed hosts" {
    for sum in 10 20 30 40; do
        expect_answer alice "add sum 10" $sum
        kill_host
        start
        printf 'get sum' >question
        run_cella mail query --state alice --url "$host_url" question
        expect_ok
        [ "$output" = $sum ]
    done
    printf 'try-put a b' >question
    run_cella mail query --state alice question
    expect_ok
    [ "$output" = READ_ONLY ]
}

@test "posts that a killed host had in its queue come again, once" {
    ask alice "post news first"
    expect_ok
    ask alice "post news second"
    expect_ok
    expect_post alice first
    ask alice "post news third"
    expect_ok
    kill_host
    start
    expect_post alice second
    expect_post alice third
    run_cella mail poll --state alice
    expect_status UNAVAILABLE 7
}

@test "what a client has seen can be shown to anyone" {
    expect_answer alice "add sum 1" 1
    kill_host
    start
    expect_answer bob "add sum 1" 2
    expect_answer alice "add sum 1" 3
    for client in alice bob; do
        run_cella mail head --state $client --out $client.head
        expect_ok
        [[ $output == *"epoch    2"* ]]
    done
    run_cella mail head --state alice --json
    expect_ok
    [ "$(jq .epoch <<<"$output")" = 2 ]
    run_cella vault explain alice.head bob.head
    expect_ok
    [[ $output == *"One history can hold both."* ]]
    run_cella mail head --state alice --out alice.head
    expect_status EXISTS 1
}

@test "a rollback that the machine cannot see is found by the client that saw more, by nobody before" {
    expect_answer alice "add sum 1" 1
    expect_answer bob "add sum 1" 2
    kill_host
    start
    # Within one epoch the counter tells nothing: a copy of the running vault is put back.
    cp -r state/vaults/probe within
    expect_answer alice "add sum 1" 3
    kill_host
    mv state/vaults/probe newest
    cp -r within state/vaults/probe
    start
    expect_answer bob "add sum 1" 3
    ask alice "add sum 1"
    [ "$status" -ne 0 ]
    [[ $stderr == *"[VAULT_FORK]"* || $stderr == *"[VAULT_STOPPED]"* ]]
    # From now on the vault serves nobody.
    ask bob "add sum 1"
    expect_status VAULT_STOPPED 5
}
