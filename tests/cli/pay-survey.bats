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
