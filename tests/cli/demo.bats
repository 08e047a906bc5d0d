# cella demo: the main job, and that it fails when it must.
load common
setup() {
    cella_setup
    files="$CELLA_BIN/../libexec/cella/pay-survey"
    export TMPDIR="$BATS_TEST_TMPDIR/tmp"
    mkdir tmp
}
teardown() { cella_teardown; }

# A copy of the demo's files that a test may spoil.
copy_files() {
    cp -rL "$files" spoiled
    chmod -R u+w spoiled
}

@test "the demo shows every step, ends with 0 and leaves nothing behind" {
    run_cella demo
    expect_ok
    [ -z "$stderr" ]
    [[ $output == *"INSECURE"* ]]
    [[ $output == *"all as it must be  15 of 15 steps"* ]]
    [[ $output != *"  FAILED  "* ]]
    [[ $output != *$'\033'* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo's protocol is JSON, and every check in it held" {
    run_cella demo --json
    expect_ok
    [ "$(jq .ok <<<"$output")" = true ]
    [ "$(jq '.steps | length' <<<"$output")" -eq 15 ]
    [ "$(jq '[.steps[].checks[] | select(.held | not)] | length' <<<"$output")" -eq 0 ]
    [ "$(jq '[.steps[] | select(.title | startswith("Refused"))] | length' <<<"$output")" -eq 7 ]
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
    python3 "$CELLA_SOURCE/examples/pay-survey/tests/reference.py" "$files/cps-earnings.csv" >expected.csv
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
        spoiled/cps-earnings.csv
    run_cella demo --files spoiled --json
    [ "$status" -eq 1 ]
    [[ $output == *"line 100 of the file of people is damaged"* ]]
    [ -z "$(ls -A tmp)" ]
}

@test "the demo fails when a person is missing" {
    copy_files
    sed -i '100d' spoiled/cps-earnings.csv
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *FAILED* ]]
}

@test "the demo fails when the settings are not the survey's" {
    copy_files
    sed -i 's/@PARTY_4_KEY@/@PARTY_3_KEY@/' spoiled/enclave.conf.in
    run_cella demo --files spoiled
    [ "$status" -eq 1 ]
    [[ $output == *"FAILED"* ]]
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
