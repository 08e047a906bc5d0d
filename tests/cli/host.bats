# cella host, run, status and call, with real instances.
load common

setup() {
    cella_setup
    echo_image="$CELLA_BIN/../examples/echo/echo.enclave"
    probe_image="$CELLA_BIN/../tests/enclaves/probe.enclave"
}
teardown() { cella_teardown; }

operator() {
    curl --silent --show-error --header "Authorization: Bearer $(cat state/token)" "$@"
}

@test "run makes a machine, prints what clients need, and mail comes back" {
    start_background run.log cella run "$echo_image" --state state --listen 127.0.0.1:0
    wait_for_line run.log '^constraint '
    url=$(awk '$1 == "url" {print $2}' run.log)
    constraint=$(sed -n 's/^constraint *//p' run.log)
    [[ $constraint == C:*" SEC:INSECURE" ]]
    grep -q 'SIMULATED machine' run.log
    printf hello >body
    run_cella mail send --state client --url "$url" --enclave echo --constraint "$constraint" body
    expect_ok
    [ "$output" = hello ]
}

@test "run refuses a missing image before it makes anything" {
    run_cella run none.enclave --state state
    expect_status NOT_FOUND 3
    [ ! -e state ]
    run_cella run "$echo_image" --state state --dry-run
    expect_ok
    [ ! -e state ]
}

@test "run ends with its enclave and says why" {
    start_background run.log cella run "$probe_image" --state state --listen 127.0.0.1:0
    wait_for_line run.log '^constraint '
    printf 'crash null' >crash
    run_cella call probe --state state --data crash
    [ "$status" -ne 0 ]
    wait_gone "$started"
    grep -q '\[CRASHED\]' run.log
}

@test "a host serves several enclaves and status names their weak choices" {
    cella sim new machine
    start_host --state state --machine machine --image one="$echo_image" --image two="$probe_image"
    run_cella status --state state
    expect_ok
    [[ $output == *"one: running"* && $output == *"two: running"* ]]
    [[ $output == *"SIMULATED machine (INSECURE)"* && $output == *"no vault"* && $output == *"no TLS"* ]]
    run_cella status --state state --json
    expect_ok
    [ "$(jq '.enclaves | length' <<<"$output")" = 2 ]
    [ "$(jq -r '.enclaves[0].code_hash' <<<"$output")" = "$(cella image show --json "$echo_image" | jq -r .code_hash)" ]
}

@test "the operator calls an enclave, and others cannot" {
    cella sim new machine
    start_host --state state --machine machine --image probe="$probe_image"
    printf question >question
    run_cella call probe --state state --data question
    expect_ok
    [ "$output" = question ]
    run_cella call probe --state state --data question --json
    expect_ok
    [ "$(jq -r .reply <<<"$output")" = "$(printf question | od -An -tx1 | tr -d ' \n')" ]
    run_cella call probe --state state --data question --dry-run
    expect_ok
    [ -z "$output" ]
    printf fail >fail
    run_cella call probe --state state --data fail
    expect_status HANDLER_FAILED 1
    run_cella call none --state state
    expect_status NOT_FOUND 3
    [ "$(stat -c %a state/token)" = 600 ]
    cp -r state other
    tr 0-9a-f 1-9a-f0 <state/token >other/token
    run_cella call probe --state other --url "$host_url" --data question
    expect_status HTTP_TOKEN 4
    chmod 644 other/token
    run_cella call probe --state other --url "$host_url"
    expect_status PERMISSION 1
}

@test "the operator starts and closes enclaves while the host runs" {
    cella sim new machine
    start_host --state state --machine machine
    body=$(jq -nc --arg i "$(realpath "$echo_image")" --arg m "$PWD/machine" '{name:"late",image:$i,machine:$m}')
    [ "$(operator -o answer -w '%{http_code}' -d "$body" "$host_url/v1/enclaves")" = 204 ]
    [ "$(operator "$host_url/v1/status" | jq -r '.enclaves[0].phase')" = running ]
    [ "$(operator -o answer -w '%{http_code}' -X DELETE "$host_url/v1/enclaves/late")" = 204 ]
    [ "$(operator "$host_url/v1/status" | jq -r '.enclaves[0].phase')" = stopped ]
}

@test "metrics count mail by status" {
    cella sim new machine
    start_host --state state --machine machine --image echo="$echo_image"
    code=$(cella image show --json "$echo_image" | jq -r .code_hash)
    printf x | cella mail send --state client --url "$host_url" --enclave echo --constraint "C:$code SEC:INSECURE"
    operator "$host_url/metrics" >metrics
    grep -q '^cella_mail_answers_total{enclave="echo",status="OK"} 1$' metrics
    grep -q '^cella_enclave_up{enclave="echo"} 1$' metrics
    [ "$(curl -s -o answer -w '%{http_code}' "$host_url/metrics")" = 401 ]
    [ "$(jq -r .status answer)" = HTTP_TOKEN ]
}

@test "a crashed instance is reported, and restarted when that was asked for" {
    cella sim new machine
    start_host --state state --machine machine --image probe="$probe_image" --restart=2
    printf 'crash null' >crash
    run_cella call probe --state state --data crash
    [ "$status" -ne 0 ]
    wait_for_line host.log ' started enclave=probe .*starts=2'
    grep -q ' ended enclave=probe .*CRASHED' host.log
    printf again >again
    run_cella call probe --state state --data again
    expect_ok
    [ "$output" = again ]
}

@test "SIGTERM closes the instances in an orderly way" {
    cella sim new machine
    start_host --state state --machine machine --image probe="$probe_image"
    keeper=$(operator "$host_url/v1/status" | jq '.enclaves[0].process')
    kill -TERM "$host_pid"
    wait_gone "$host_pid"
    wait_gone "$keeper"
    grep -q ' stopping signal=TERM' host.log
    grep -q 'probe stopped' host.log
}

@test "a host that is killed leaves no instance behind" {
    cella sim new machine
    start_host --state state --machine machine --image echo="$echo_image"
    keeper=$(operator "$host_url/v1/status" | jq '.enclaves[0].process')
    kill -KILL "$host_pid"
    wait_gone "$keeper"
    start_host --state state --machine machine --image echo="$echo_image"
}

@test "the log is JSON on request" {
    cella sim new machine
    start_background json.log cella host --listen 127.0.0.1:0 --state state --machine machine \
        --image echo="$echo_image" --log json
    wait_for_line json.log '"event":"listening"'
    jq -es 'all(.time and .level and .component == "host" and .event)' json.log >/dev/null
    [ "$(jq -r 'select(.event == "started").enclave' json.log)" = echo ]
}

@test "wrong options and files are refused before anything starts" {
    run_cella host --state state --image bad
    expect_status USAGE 2
    run_cella host --state state --image 'a b=x'
    expect_status USAGE 2
    run_cella host --state state --listen localhost:80
    expect_status USAGE 2
    run_cella host --state state --no-such-option
    expect_status USAGE 2
    run_cella host --state state --image echo=none.enclave
    expect_status NOT_FOUND 3
    run_cella host --state state --image echo="$echo_image"
    expect_status NOT_FOUND 3
    [[ $stderr == *"cella sim new"* ]]
    run_cella host --state state --operator-remote
    expect_status HTTP_TLS 1
    run_cella host --state fresh --dry-run
    expect_ok
    [ ! -e fresh ]
}

@test "a wrong value is reported with its option and what it takes" {
    run_cella host --log-level loud
    expect_status USAGE 2
    [[ $stderr == *'"loud" is not a value for --log-level, which takes debug'* ]]
    run_cella host --connections=0
    expect_status USAGE 2
    [[ $stderr == *'"0" is not a value for --connections, which takes a number'* ]]
    run_cella run x --log xml
    expect_status USAGE 2
    [[ $stderr == *'for --log, which takes text or json'* ]]
    run_cella host --image echo=a --image echo=b
    expect_status USAGE 2
    [[ $stderr == *'the name "echo" twice'* ]]
}

@test "a dry run finds what a start would: images, TLS, the address" {
    cella sim new machine
    run_cella host --state state --machine machine --listen 127.0.0.1:0 --image echo="$echo_image" --dry-run
    expect_ok
    [ ! -e state ]
    cp "$echo_image" changed
    chmod u+w changed
    printf '\377\377\377\377' | dd of=changed bs=1 seek=$(($(stat -c %s changed) / 2)) conv=notrunc status=none
    ! cmp -s "$echo_image" changed
    run_cella image show changed
    code=$status
    [ "$code" -ne 0 ]
    run_cella host --state state --machine machine --listen 127.0.0.1:0 --image echo=changed --dry-run
    [ "$status" -eq "$code" ]
    [[ $stderr == *changed* ]]
    printf 'no key' >key.pem
    chmod 600 key.pem
    run_cella host --state state --listen 127.0.0.1:0 --tls-certificate key.pem --tls-key key.pem --dry-run
    expect_status HTTP_TLS 1
    start_host --state state
    run_cella host --state second --listen "${host_url#http://}" --dry-run
    expect_status HTTP_LISTEN 7
}

@test "an address in use is found before any instance starts" {
    cella sim new machine
    start_host --state state
    run_cella host --state second --machine machine --image echo="$echo_image" --listen "${host_url#http://}"
    expect_status HTTP_LISTEN 7
    [[ $stderr != *" started "* ]]
}

@test "the log says at a start which code runs and what is weak" {
    cella sim new machine
    start_host --state state --machine machine --image echo="$echo_image"
    code=$(cella image show --json "$echo_image" | jq -r .code_hash)
    grep -qE " started enclave=echo .*code_hash=$code signer=[0-9a-f]{64} product=[0-9]+ security_version=[0-9]+ machine=SIMULATED debug=(yes|no)" host.log
}

@test "bodies over the limit are refused" {
    start_host --state state --body-limit 2048
    head -c 2049 /dev/zero >large
    [ "$(curl -s -o answer -w '%{http_code}' --data-binary @large \
        "$host_url/v1/enclaves/none/mail?route=$(printf '00%.0s' {1..16})")" = 413 ]
    [ "$(jq -r .status answer)" = HTTP_TOO_LARGE ]
}

@test "one address has as many connections as it may" {
    start_host --state state --connections-per-address 1
    port=${host_url##*:}
    exec 7<>"/dev/tcp/127.0.0.1/$port"
    printf 'GET /v1/enclaves HTTP/1.1\r\nHost: x\r\n\r\n' >&7
    read -rt 10 line <&7
    [[ $line == *" 200 "* ]]
    run curl -s --max-time 10 "$host_url/v1/enclaves"
    [ "$status" -ne 0 ]
    exec 7>&-
}

@test "a state folder belongs to one host and a port too" {
    start_host --state state
    run_cella host --state state --listen 127.0.0.1:0
    expect_status HOST_BUSY 7
    run_cella host --state second --listen "${host_url#http://}"
    expect_status HTTP_LISTEN 7
    [[ $stderr == *"${host_url#http://}"* && $stderr != *"port 0"* ]]
}

@test "TLS is spoken when a certificate is given" {
    cella sim new machine
    tls="$CELLA_SOURCE/tests/vectors/tls"
    cp "$tls/key.pem" key.pem
    chmod 600 key.pem
    start_background host.log cella host --listen 127.0.0.1:0 --state state --machine machine \
        --image echo="$echo_image" --tls-certificate "$tls/certificate.pem" --tls-key key.pem
    wait_for_line host.log 'url=https://'
    url=$(grep -oE 'https://127\.0\.0\.1:[0-9]+' host.log | head -n 1)
    code=$(cella image show --json "$echo_image" | jq -r .code_hash)
    printf secret >body
    run_cella mail send --state client --url "$url" --enclave echo --constraint "C:$code SEC:INSECURE" \
        --ca "$tls/certificate.pem" body
    expect_ok
    [ "$output" = secret ]
    run_cella mail send --state client body
    expect_status CLIENT_TLS 6
    run_cella status --state state --ca "$tls/certificate.pem"
    expect_ok
    [[ $output != *"no TLS"* ]]
    chmod 644 key.pem
    run_cella host --state second --tls-certificate "$tls/certificate.pem" --tls-key key.pem
    expect_status PERMISSION 1
}
