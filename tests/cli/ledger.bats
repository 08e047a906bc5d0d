# ledger-branch: a branch's program, with a host that is killed.
load common

setup() {
    cella_setup
    files="$CELLA_BIN/../libexec/cella/ledger"
}
teardown() { cella_teardown; }

branch() { run --separate-stderr ledger-branch "$@"; }

# The ledger by hand, as examples/ledger/README.md has it.
start_ledger() {
    issuer=$(ledger-branch key --state issuer.client)
    ledger-branch key --state one.client >/dev/null
    sed "s/@ISSUER@/$issuer/; /@OWNERS@/d" "$files/enclave.conf.in" >enclave.conf
    cella key new signer.pem
    cella image build "$files/ledger.elf" --config enclave.conf --out ledger.enclave
    cella image sign ledger.enclave --key signer.pem
    code_hash=$(cella image show --json ledger.enclave | jq -r .code_hash)
    cella sim new machine
    start_host --state state --machine machine --image ledger=ledger.enclave
    where=(--url "$host_url" --enclave ledger --constraint "C:$code_hash SEC:INSECURE")
}

# Kills the host with SIGKILL and starts it again on the same port.
restart_host() {
    kill -KILL "$host_pid"
    wait_gone "$host_pid"
    rm host.log
    start_background host.log cella host --listen "${host_url#http://}" --state state --machine machine \
        --image ledger=ledger.enclave
    host_pid=$started
    wait_for_line host.log 'http://127\.0\.0\.1:[0-9]+'
}

@test "a key is made once and stays" {
    branch key --state a.client
    expect_ok
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    first=$output
    branch key --state a.client
    [ "$output" = "$first" ]
    [ "$(stat -c %a a.client)" = 600 ]
}

@test "by hand: accounts, money, transfers, statement, audit and receipt, over a killed host" {
    start_ledger
    printf 'open a\nopen b\n' >openings.txt
    branch send --state one.client "${where[@]}" openings.txt
    expect_ok
    [[ $output == *"opened 2"* ]]
    printf 'issue a 1000\n' >issues.txt
    branch send --state issuer.client "${where[@]}" issues.txt
    expect_ok
    [[ $output == *"receipt 1 a issued 1000 1000"* ]]
    for i in $(seq 30); do echo "transfer a b $i"; done >transfers.txt
    echo 'transfer a b 100000' >>transfers.txt
    branch send --state one.client --batch 7 transfers.txt
    expect_ok
    [[ $output == *"done 30"* && $output == *"refused funds 1"* ]]
    restart_host
    branch send --state one.client --batch 7 transfers.txt
    expect_ok
    [[ $output == *"done 30"* ]]
    branch statement --state one.client a 2
    expect_ok
    [ "${lines[0]}" = "account a 535 31" ]
    [ "${lines[1]}" = "31 to b 30 535" ]
    [ "${lines[2]}" = "30 to b 29 565" ]
    branch statement --state one.client b 1
    [ "${lines[1]}" = "31 from a 30 465" ]
    branch receipt --state one.client transfers.txt
    expect_ok
    [ "$output" = "receipt 31 a to b 30 535" ]
    branch audit --state issuer.client
    expect_ok
    [ "$output" = "audit 2 accounts 1000 sum 1000 issued 31 entries" ]
    branch statement --state issuer.client a
    expect_status HANDLER_FAILED 1
}

@test "a branch that finds no host goes on when there is one" {
    start_ledger
    printf 'open a\nopen b\n' >openings.txt
    branch send --state one.client "${where[@]}" --batch 1 openings.txt
    expect_ok
    kill -KILL "$host_pid"
    wait_gone "$host_pid"
    rm host.log
    printf 'open c\nopen d\n' >more.txt
    branch send --state one.client more.txt
    [ "$status" -eq 7 ]
    start_background host.log cella host --listen "${host_url#http://}" --state state --machine machine \
        --image ledger=ledger.enclave
    wait_for_line host.log 'http://127\.0\.0\.1:[0-9]+'
    branch send --state one.client more.txt
    expect_ok
    [[ $output == *"opened 2"* ]]
    branch audit --state one.client
    [ "$output" = "audit 4 accounts 0 sum 0 issued 0 entries" ]
}

@test "a file with a bad line is not sent, and another file does not go on in its place" {
    start_ledger
    printf 'open a\nopen B\n' >bad.txt
    branch send --state one.client "${where[@]}" bad.txt
    expect_status ARGUMENT 2
    [[ $stderr == *'line 2 is no instruction: "open B"'* ]]
    printf 'open a\n' >bad.txt
    branch send --state one.client "${where[@]}" bad.txt
    expect_ok
    printf 'open b\n' >bad.txt
    branch send --state one.client bad.txt
    expect_status ARGUMENT 2
    [[ $stderr == *"is the progress of another file"* ]]
    branch audit --state one.client
    [ "$output" = "audit 1 accounts 0 sum 0 issued 0 entries" ]
}

@test "wrong usage ends with 2" {
    for arguments in "" "--state x" "fly --state x" "send" "send --state x --batch 0 y" "audit --wait"; do
        # shellcheck disable=SC2086
        branch $arguments
        [ "$status" -eq 2 ]
        [[ $stderr == *"usage: ledger-branch"* ]]
    done
    branch --help
    expect_ok
    [[ $output == "usage: ledger-branch"* ]]
}
