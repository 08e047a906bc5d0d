# cella mail against a real instance.
load common

setup() {
    cella_setup
    probe_image="$CELLA_BIN/../tests/enclaves/probe.enclave"
    cella sim new machine
    start_host --state state --machine machine --image probe="$probe_image"
    constraint="C:$(cella image show --json "$probe_image" | jq -r .code_hash) SEC:INSECURE"
    printf hello >hello
}
teardown() { cella_teardown; }

make_client() {
    cella mail new-key --state client --url "$host_url" --enclave probe --constraint "$constraint"
}

@test "a key is made before there is anything to talk to, and never made twice" {
    run_cella mail new-key --state early
    expect_ok
    [[ $output =~ ^[0-9a-f]{64}$ ]]
    [ "$(stat -c %a early)" = 600 ]
    key=$output
    run_cella mail key --state early
    [ "$output" = "$key" ]
    run_cella mail new-key --state early
    expect_status EXISTS 1
    run_cella mail send --state early hello
    expect_status CONSTRAINT_INCOMPLETE 2
    run_cella mail send --state early --url "$host_url" --enclave probe --constraint "$constraint" hello
    expect_ok
    [ "$output" = hello ]
}

@test "bodies of any size and content come back exactly" {
    make_client
    : >empty
    head -c 1 /dev/zero >one
    head -c 65537 /dev/urandom >odd
    head -c 5000000 /dev/urandom >large
    for body in empty one odd large; do
        cella mail send --state client $body >reply
        cmp $body reply
    done
    cella mail send --state client --one-shot odd >reply
    cmp odd reply
    cella mail send --state client --topic other --empty-first --no-padding - <odd >reply
    cmp odd reply
}

@test "nothing is sent to an instance that the constraint refuses" {
    run_cella mail send --state client --url "$host_url" --enclave probe \
        --constraint "C:$(printf 'ab%.0s' {1..32}) SEC:INSECURE" hello
    expect_status REFUSED_CODE 4
    [[ $stderr == *"expected"*"found"* ]]
    run_cella mail send --state client --constraint "${constraint/INSECURE/SECURE}" hello
    expect_status REFUSED_LEVEL 4
    [ "$(curl -s -H "Authorization: Bearer $(cat state/token)" "$host_url/v1/status" | jq '.enclaves[0].mails')" = 0 ]
}

@test "a dry run attests and sends nothing" {
    make_client
    run_cella mail send --state client --dry-run hello
    expect_ok
    [ "$(curl -s -H "Authorization: Bearer $(cat state/token)" "$host_url/v1/status" | jq '.enclaves[0].mails')" = 0 ]
}

@test "a dry run changes no file, whatever it is given" {
    make_client
    sha256sum client >before
    run_cella mail send --state client --constraint "${constraint/SEC:INSECURE/SEC:INSECURE EXPIRE:P9Y}" --dry-run hello
    expect_ok
    sha256sum --check --quiet before
    run_cella mail send --state client --url http://127.0.0.1:1 --dry-run hello
    expect_status HOST_UNREACHABLE 7
    sha256sum --check --quiet before
    run_cella mail send --state new --url "$host_url" --enclave probe --constraint "$constraint" --dry-run hello
    expect_ok
    [ ! -e new ]
    [ ! -e new.lock ]
}

@test "settings that no instance satisfied are not kept, and those that one did are" {
    make_client
    cella mail send --state client hello >/dev/null
    for wrong in --constraint="${constraint/INSECURE/SECURE}" --url=http://127.0.0.1:1 --enclave=none; do
        run_cella mail send --state client "$wrong" hello
        [ "$status" -ne 0 ]
        run_cella mail send --state client hello
        expect_ok
        [ "$output" = hello ]
    done
    run_cella mail send --state client --url "${host_url/127.0.0.1/localhost}" hello
    expect_ok
    grep -aq "${host_url/127.0.0.1/localhost}" client
}

@test "each missing thing has a hint of its own" {
    make_client
    run_cella mail send --state client nothing-here
    expect_status NOT_FOUND 3
    [[ $stderr == *"name of the file to send"* ]]
    run_cella mail send --state client --mailbox hello
    expect_status NOT_FOUND 3
    [[ $stderr == *"without --mailbox"* ]]
    run_cella mail give-up --state client
    expect_status NOT_FOUND 3
    [[ $stderr == *"topic default"* && $stderr == *"nothing has to be given up"* ]]
    run_cella mail new-key --state no/folder/client
    expect_status NOT_FOUND 3
    [[ $stderr == *"make the folder"* ]]
    run_cella mail send --state new --url "$host_url" --enclave probe hello
    expect_status USAGE 2
    [[ $stderr == *"--constraint is needed"* ]]
    [ ! -e new ]
}

@test "a request without a reply is given up by the name of its topic, an answered one is not" {
    make_client
    run_cella mail send --state client --topic fail hello
    expect_status HANDLER_FAILED 1
    sha256sum client >before
    run_cella mail give-up --state client
    expect_status NOT_FOUND 3
    sha256sum --check --quiet before
    run_cella mail give-up --state client --topic fail
    expect_ok
    run sha256sum --check --quiet before
    [ "$status" -ne 0 ]
    run_cella mail send --state client --topic answered hello
    expect_ok
    run_cella mail give-up --state client --topic answered
    expect_status NOT_FOUND 3
}

@test "a refused request leaves nothing, and the next one passes" {
    make_client
    run_cella mail send --state client --topic fail hello
    expect_status HANDLER_FAILED 1
    run_cella mail poll --state client
    expect_status UNAVAILABLE 7
    run_cella mail send --state client hello
    expect_ok
}

@test "no reply is said, and is no error" {
    make_client
    run_cella mail send --state client --topic silent hello
    expect_ok
    [ -z "$output" ]
    [[ $stderr == *"no reply"* ]]
}

@test "posts are collected in order, once" {
    make_client
    for word in one two; do
        printf '%s' $word | cella mail send --state client --topic post >/dev/null
    done
    run_cella mail poll --state client --wait 5
    expect_ok
    [ "$output" = one ]
    run_cella mail poll --state client --json
    expect_ok
    [ "$(jq -r .topic <<<"$output")" = posted ]
    [ "$(jq -r .sequence <<<"$output")" = 1 ]
    [ "$(jq -r .body <<<"$output")" = "$(printf two | od -An -tx1 | tr -d ' \n')" ]
    run_cella mail poll --state client
    expect_status UNAVAILABLE 7
}

@test "after a restart the client attests again and goes on by itself" {
    make_client
    cella mail send --state client hello >/dev/null
    kill -KILL "$host_pid"
    wait_gone "$host_pid"
    run_cella mail send --state client hello
    expect_status HOST_UNREACHABLE 7
    start_background again.log cella host --listen "${host_url#http://}" --state state --machine machine \
        --image probe="$probe_image"
    wait_for_line again.log 'listening'
    run_cella mail send --state client hello
    expect_ok
    [ "$output" = hello ]
}

@test "another image after a restart is an error that names the rule" {
    make_client
    cella mail send --state client hello >/dev/null
    kill -TERM "$host_pid"
    wait_gone "$host_pid"
    start_background again.log cella host --listen "${host_url#http://}" --state state --machine machine \
        --image probe="$CELLA_BIN/../examples/echo/echo.enclave"
    wait_for_line again.log 'listening'
    run_cella mail send --state client hello
    expect_status REFUSED_CODE 4
    [[ $stderr == *"C refuses"* ]]
}

@test "a client that others can read, or that is damaged, is refused and kept" {
    make_client
    chmod 640 client
    run_cella mail send --state client hello
    expect_status PERMISSION 1
    chmod 600 client
    printf x >>client
    cp client before
    run_cella mail send --state client hello
    expect_status CLIENT_STATE 9
    cmp client before
}

@test "malformed mail is refused by name, and the enclave goes on" {
    make_client
    head -c 500 /dev/urandom >noise
    [ "$(curl -s -o answer -w '%{http_code}' --data-binary @noise \
        "$host_url/v1/enclaves/probe/mail?route=$(printf '00%.0s' {1..16})")" = 422 ]
    [ "$(jq -r .status answer)" = MAIL_MALFORMED ]
    run_cella mail show noise
    expect_status MAIL_MALFORMED 9
    run_cella mail send --state client hello
    expect_ok
}

@test "the clear part of a mail is explained" {
    # The one-shot mail of formats/mail.md's worked example.
    awk '/^one_shot = /{on=1; sub(/^one_shot = /, "")} /^[a-z]/ && !/^[0-9a-f]+$/{on=0} on' \
        "$CELLA_SOURCE/tests/vectors/mail/example.txt" | tr -d ' \n' | tr a-f A-F | basenc --decode --base16 >example
    run_cella mail show --json example
    expect_ok
    [ "$(jq -r .kind <<<"$output")" = one-shot ]
    [ "$(jq .envelope_bytes <<<"$output")" = 3 ]
    run_cella mail show example
    expect_ok
    [[ $output == *"topic"* ]]
}

@test "wrong use is refused" {
    run_cella mail
    expect_status USAGE 2
    run_cella mail send
    expect_status USAGE 2
    run_cella mail send --state client --topic 'a b'
    expect_status USAGE 2
    run_cella mail poll --state client --wait 61
    expect_status USAGE 2
    [[ $stderr == *'"61" is not a value for --wait'* ]]
    for action in send key give-up new-key; do
        run_cella mail $action --state client --json
        expect_status USAGE 2
        [[ $stderr == *"$action does not take --json"* ]]
    done
    run_cella mail poll --state client --dry-run
    expect_status USAGE 2
    run_cella mail send --state none hello
    expect_status NOT_FOUND 3
    run_cella mail new-key --state x --url ftp://host --enclave e
    expect_status CLIENT_URL 2
}

@test "the head of a vault is only there where a vault is" {
    run_cella mail head --state client
    expect_status NOT_FOUND 3
    make_client
    run_cella mail head --state client
    expect_status NO_VAULT 1
    cella mail send --state client hello >/dev/null
    run_cella mail head --state client --out head
    expect_status NO_VAULT 1
    [ ! -e head ]
    run_cella mail send --state client --out head hello
    expect_status USAGE 2
}

@test "heads that two clients have seen are compared by anyone" {
    tail -c +2 "$CELLA_SOURCE/tests/fuzz/corpus/client_state/head-file" >head
    run_cella vault explain head head
    expect_ok
    [[ $output == *"They are the same head."* ]]
    run_cella vault explain head
    expect_ok
    [[ $output == *"The vault signed version 3 of epoch 1"* ]]
    head -c 300 head >cut
    run_cella vault explain head cut
    expect_status DAMAGED 9
    { head -c 250 head; printf x; tail -c +252 head; } >changed
    run_cella vault explain changed head
    [ "$status" -ne 0 ]
}
