# cella demo: the main job, and that it fails when it must.
load common
setup() {
    cella_setup
    files="$CELLA_BIN/../libexec/cella"
    export TMPDIR="$BATS_TEST_TMPDIR/tmp"
    mkdir tmp
}
teardown() { cella_teardown; }

# A copy of the demo's files that a test may spoil.
copy_files() {
    mkdir spoiled
    cp -rL "$files/pay-survey" "$files/ledger" spoiled
    chmod -R u+w spoiled
}

@test "the demo shows every step, ends with 0 and leaves nothing behind" {
    run_cella demo
    expect_ok
    [ -z "$stderr" ]
    [[ $output == *"INSECURE"* ]]
    [[ $output == *"all as it must be  22 of 22 steps"* ]]
    [[ $output != *"  FAILED  "* ]]
    [[ $output != *$'\033'* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo's protocol is JSON, and every check in it held" {
    run_cella demo --json
    expect_ok
    [ "$(jq .ok <<<"$output")" = true ]
    [ "$(jq '.steps | length' <<<"$output")" -eq 22 ]
    [ "$(jq '[.steps[].checks[] | select(.held | not)] | length' <<<"$output")" -eq 0 ]
    [ "$(jq '[.steps[] | select(.title | startswith("Refused"))] | length' <<<"$output")" -eq 8 ]
    [ "$(jq '[.steps[] | select(.milliseconds < 0 or .proves == "")] | length' <<<"$output")" -eq 0 ]
}

@test "with --keep the four results are there, equal, and private" {
    run_cella demo --keep --json
    expect_ok
    folder=$(jq -r .folder <<<"$output")
    for party in Midwest South West; do
        cmp "$folder/Northeast/result.csv" "$folder/$party/result.csv"
    done
    [ "$(stat -c %a "$folder/Northeast/people.csv")" = 600 ]
    [ "$(stat -c %a "$folder/Northeast/result.csv")" = 600 ]
    [ "$(wc -l <"$folder/Northeast/result.csv")" -eq 127 ]
    cmp "$folder/pay-survey.enclave" "$folder/again.enclave"
    ! cmp -s "$folder/pay-survey.enclave" "$folder/false-party.enclave"
}

@test "the result is what a script computes from the same file" {
    run_cella demo --keep --json
    expect_ok
    folder=$(jq -r .folder <<<"$output")
    python3 "$CELLA_SOURCE/examples/pay-survey/tests/reference.py" "$files/pay-survey/cps-earnings.csv" >expected.csv
    # education,gender,age,people,four quantiles of the groups that are shown
    awk -F, 'NR > 1 && $5 != "hidden" {print $2","$3","$4","$5","$6","$7","$8","$9}' "$folder/West/result.csv" |
        sort >shown
    awk -F, 'NR > 1 {print $1","$2","$3","$4+$5+$6+$7","$8","$9","$10","$11}' expected.csv | sort >all
    [ "$(wc -l <shown)" -eq 110 ]
    [ -z "$(comm -23 shown all)" ]
}

@test "the demo fails when its data is damaged" {
    copy_files
    sed -i '100s/,South,/,Atlantis,/; 100s/,West,/,Atlantis,/; 100s/,Midwest,/,Atlantis,/; 100s/,Northeast,/,Atlantis,/' \
        spoiled/pay-survey/cps-earnings.csv
    run_cella demo --files spoiled --json
    [ "$status" -eq 1 ]
    [[ $output == *"line 100 of the file of people is damaged"* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo fails when a person is missing" {
    copy_files
    sed -i '100d' spoiled/pay-survey/cps-earnings.csv
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *FAILED* ]]
}

@test "the demo fails when the settings are not the survey's" {
    copy_files
    sed -i 's/@PARTY_4_KEY@/@PARTY_3_KEY@/' spoiled/pay-survey/enclave.conf.in
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *"FAILED"* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo kills instance and host, and says what it did" {
    run_cella demo --json
    expect_ok
    facts=$(jq -r '.steps[17].facts[]' <<<"$output")
    [[ $facts == *"SIGKILL to the instance"* && $facts == *"SIGKILL to the host"* ]]
    [ "$(jq -r '.steps[16:][].facts[]' <<<"$output" | grep -c INSECURE)" -ge 1 ]
    checks=$(jq -r '.steps[18].checks[].check' <<<"$output")
    [[ $checks == *"all 100000 answers are those of a plain computation"* ]]
    [[ $checks == *"sum 100000000 issued"* ]]
    [ "$(grep -c "its last receipt" <<<"$checks")" -eq 4 ]
    [[ $(jq -r '.steps[19].checks[].check' <<<"$output") == *"[VAULT_STALE]"* ]]
    checks=$(jq -r '.steps[20].checks[].check' <<<"$output")
    [[ $checks == *"branch-4 has seen none of the lost transfers and is served"* ]]
    [[ $checks == *"[VAULT_FORK]"* && $checks == *"[VAULT_STOPPED]"* ]]
    [[ $(jq -r '.steps[21].checks[].check' <<<"$output") == *"[VAULT_RESTORED]"* ]]
}

@test "with --keep anyone can verify the evidence, and a changed one proves nothing" {
    run_cella demo --keep --json
    expect_ok
    folder=$(jq -r .folder <<<"$output")
    evidence="$folder/ledger/stopped/evidence-0000000000000001"
    run_cella vault explain "$evidence" --genesis "$folder/ledger/vaults/ledger/genesis"
    expect_ok
    [[ $output == *"This is a proof of a fork"* ]]
    python3 - "$evidence" <<'END'
import sys
data = bytearray(open(sys.argv[1], "rb").read())
data[len(data) // 2] ^= 1
open("changed", "wb").write(data)
END
    run_cella vault explain ./changed
    [ "$status" -eq 9 ]
    run_cella vault check ledger --state "$folder/ledger" --machine "$folder/machine" \
        --image "$folder/ledger.enclave" --json
    expect_ok
    [ "$(jq .lineage <<<"$output")" = 1 ]
    run_cella vault check "$folder/ledger/refused" --machine "$folder/machine" --image "$folder/ledger.enclave"
    expect_status VAULT_STALE 5
}

@test "the demo's host does not outlive it, even when it is killed" {
    start_background demo.log cella demo --keep
    wait_for_line demo.log 'SIGKILL to the instance' 60
    host=$(sed -n 's/^ *process \([0-9]*\), http.*/\1/p' demo.log)
    kill -0 "$host"
    kill -KILL "$started"
    wait_gone "$host"
}

@test "the demo fails when a transfer is missing, or the file is none" {
    copy_files
    sed -i '100d' spoiled/ledger/transfers.txt
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *"the file has 99999 transfers"* ]]
    sed -i '100s/transfer/transfers/' spoiled/ledger/transfers.txt
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo fails when the ledger's issuer or its owner is another one" {
    copy_files
    sed -i "s/@ISSUER@/$(printf '%064d' 1)/" spoiled/ledger/enclave.conf.in
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *"issuer: not all was carried out"* ]]
    cp "$files/ledger/enclave.conf.in" spoiled/ledger
    chmod u+w spoiled/ledger/enclave.conf.in
    sed -i '/@OWNERS@/d' spoiled/ledger/enclave.conf.in
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *"21 of 22 steps"* || $output == *"22 of 22 steps"* ]]
    [[ $output == *"FAILED"*"this vault has no owners"* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "wrong usage and missing files are told apart" {
    run_cella demo extra
    expect_status USAGE 2
    run_cella demo --colour
    expect_status USAGE 2
    run_cella demo --files nowhere
    expect_status NOT_FOUND 3
    run_cella demo --help
    expect_ok
    [[ $output == "usage: cella demo"* ]]
}
