# pay-survey-party: a party's program.
load common
setup() { cella_setup; }
teardown() { cella_teardown; }

party() { run --separate-stderr pay-survey-party "$@"; }

@test "a key is made once and stays" {
    party key --state a.client
    expect_ok
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    first=$output
    [ "$(stat -c %a a.client)" = 600 ]
    party key --state a.client
    expect_ok
    [ "$output" = "$first" ]
    party key --state b.client
    expect_ok
    [ "$output" != "$first" ]
}

@test "a state file that others may read is refused" {
    party key --state a.client
    chmod 644 a.client
    party key --state a.client
    expect_status PERMISSION 1
}

@test "terms are the text of the survey, its parties and its rules" {
    keys=()
    for name in A B C D; do
        party key --state "$name.client"
        keys+=("$name:$output")
    done
    party terms spring-2026 "${keys[@]}"
    expect_ok
    [ "${lines[0]}" = "cella-pay-survey-terms 1" ]
    [ "${lines[1]}" = "survey spring-2026" ]
    [ "${lines[5]}" = "party 4 D ${keys[3]#D:}" ]
}

@test "terms refuse a bad id, a bad key, a missing party and a double one" {
    key=$(printf '%064d' 1)
    other=$(printf '%064d' 2)
    third=$(printf '%064d' 3)
    last=$(printf '%064d' 4)
    party terms 'a b' "A:$key" "B:$other" "C:$third" "D:$last"
    expect_status USAGE 2
    party terms id "A:$key" "B:$other" "C:$third" "D:12"
    expect_status USAGE 2
    party terms id "A:$key" "B:$other" "C:$third"
    expect_status USAGE 2
    party terms id "A:$key" "B:$other" "C:$third" "D:$key"
    expect_status USAGE 2
    party terms id "A:$key" "B:$other" "C:$third" "A:$last"
    expect_status USAGE 2
}

@test "send refuses a constraint that does not name one code hash, before it talks to anybody" {
    party key --state a.client
    echo x >terms.txt
    party send --state a.client --url http://127.0.0.1:9 --enclave e --terms terms.txt --file terms.txt \
        --constraint "S:$(printf '%064d' 1) PROD:1"
    [ "$status" -eq 4 ]
    [[ $stderr == *"exactly one code hash"* ]]
}

@test "send refuses terms that are none" {
    party key --state a.client
    echo x >terms.txt
    party send --state a.client --url http://127.0.0.1:9 --enclave e --terms terms.txt --file terms.txt \
        --constraint "C:$(printf '%064d' 1)"
    [ "$status" -eq 2 ]
    [[ $stderr == *"file of terms"* ]]
}

@test "wrong usage ends with 2" {
    for arguments in "" "--state x" "fly --state x" "send --state x" "key" "result --state x --wait soon"; do
        # shellcheck disable=SC2086
        party $arguments
        [ "$status" -eq 2 ]
        [[ $stderr == *"usage: pay-survey-party"* ]]
    done
}

# The survey by hand, as examples/pay-survey/README.md has it: sets keys, constraint and host_url.
start_survey() {
    files="$CELLA_BIN/../libexec/cella/pay-survey"
    regions=(Northeast Midwest South West)
    parties=()
    cp "$files/enclave.conf.in" enclave.conf
    chmod u+w enclave.conf
    sed -i 's/@SURVEY_ID@/by-hand/' enclave.conf
    for i in 0 1 2 3; do
        name=${regions[i]}
        key=$(pay-survey-party key --state "$name.client")
        parties+=("$name:$key")
        sed -i "s/@PARTY_$((i + 1))_NAME@/$name/; s/@PARTY_$((i + 1))_KEY@/$key/" enclave.conf
        { echo earnings,gender,age,education
          awk -F, -v region="$name" '$5 == region {print $2","$3","$4","$6}' "$files/cps-earnings.csv"; } >"$name.csv"
    done
    pay-survey-party terms by-hand "${parties[@]}" >terms.txt
    cella key new signer.pem
    cella image build "$files/pay-survey.elf" --config enclave.conf --out survey.enclave
    cella image sign survey.enclave --key signer.pem
    code_hash=$(cella image show --json survey.enclave | jq -r .code_hash)
    cella sim new machine
    start_host --state state --machine machine --image pay-survey=survey.enclave
}

send() {
    party send --state "$1.client" --url "$host_url" --enclave pay-survey --constraint "C:$code_hash SEC:INSECURE" \
        --terms terms.txt --file "${2:-$1.csv}"
}

@test "by hand: four parties send and each gets the result that the demo gets" {
    start_survey
    for region in Northeast Midwest South; do
        send "$region"
        expect_ok
        [[ $output == accepted* ]]
    done
    party result --state Northeast.client
    [ "$status" -eq 7 ]
    [[ $stderr == *"files 3 of 4"* ]]
    printf result >request
    run_cella call pay-survey --state state --data request
    expect_status HANDLER_FAILED 1
    sed '7s/,male,/,mole,/; 7s/,female,/,mole,/' West.csv >bad.csv
    send West bad.csv
    [ "$status" -eq 4 ]
    [[ $output == *'row 7, column gender: "mole"'* ]]
    [[ $output == *"nothing of this file counts"* ]]
    send West
    expect_ok
    for region in "${regions[@]}"; do
        party result --state "$region.client" --wait 20
        expect_ok
        [[ $output == *"by-hand,all,all,all,61395,11.1,16.3,23.6,32.7,0.0,-19.6"* ]]
    done
    send West
    [ "$status" -eq 4 ]
    [[ $stderr == *"another needs a new survey"* ]]
}

@test "by hand: a party refuses other terms, and an enclave with another hash" {
    start_survey
    sed -i 's/^party-minimum 10/party-minimum 3/' terms.txt
    send South
    [ "$status" -eq 4 ]
    [[ $stderr == *'"party-minimum 10"'* ]]
    code_hash=$(printf '%064d' 1)
    send South
    expect_status REFUSED_CODE 4
    [ ! -e South.client.by-hand.sent ]
}
