# The overview and the pages of statuses.
load common
setup() { cella_setup; }
teardown() { cella_teardown; }

@test "without arguments the overview goes to stderr and the exit code is 2" {
    run_cella
    [ "$status" -eq 2 ]
    [ -z "$output" ]
    [[ $stderr == "usage: cella VERB"* ]]
}

@test "help and --help print the overview to stdout" {
    for word in help --help; do
        run_cella "$word"
        expect_ok
        [[ $output == "usage: cella VERB"* ]]
        [[ $output == *"help "* ]]
        [ -z "$stderr" ]
    done
}

@test "help explains a status word, in any case" {
    for word in EXISTS exists; do
        run_cella help "$word"
        expect_ok
        [[ $output == *"EXISTS"* ]]
        [[ $output == *"exit code"* ]]
        [[ $output == *"nothing was overwritten"* ]]
    done
}

@test "help explains every status of the table" {
    while read -r word; do
        run_cella help "$word"
        expect_ok
        [[ $output == "$word "* ]]
    done < <(sed -n 's/^CELLA_STATUS_ROW(\([A-Z0-9_]*\),.*/\1/p' "$CELLA_SOURCE/include/cella/status.def")
}

@test "help --json prints the row as JSON" {
    run_cella help --json LIMIT
    expect_ok
    [ "$(jq -r .status <<<"$output")" = LIMIT ]
    [ "$(jq -r .number <<<"$output")" = 7 ]
    [ "$(jq -r .exit_code <<<"$output")" = 8 ]
    [ "$(jq -r .remedy <<<"$output")" != null ]
}

@test "help with a word near a status names it" {
    run_cella help EXIST
    expect_status NOT_FOUND 3
    [[ $stderr == *"EXISTS"* ]]
}

@test "help with a verb says how to get the verb's own help" {
    run_cella help help
    expect_ok
    [[ $output == *"usage: cella help"* ]]
}

@test "help with an unknown option is a usage error" {
    run_cella help --frobnicate
    expect_status USAGE 2
}

@test "help with two words is a usage error" {
    run_cella help EXISTS LIMIT
    expect_status USAGE 2
}

@test "an unknown verb is a usage error that names it" {
    run_cella frobnicate
    expect_status USAGE 2
    [[ $stderr == *frobnicate* ]]
}
