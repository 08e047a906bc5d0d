# cella attest and cella constraint, on a stored attestation of a simulated machine.
load common

setup() {
    cella_setup
    stored="$CELLA_SOURCE/tests/vectors/attestation-simulated.bin"
    at=2025-06-15T15:06:40Z
    nonce=$(printf '09%.0s' {1..32})
    code=$(printf 'c0%.0s' {1..32})
}
teardown() { cella_teardown; }

@test "show explains an attestation and what makes it insecure" {
    run_cella attest show "$stored" --at "$at"
    expect_ok
    [[ $output == "verified: "* ]]
    [[ $output == *INSECURE* ]]
    [[ $output == *"the machine is simulated"* ]]
    [[ $output == *"$code"* ]]
}

@test "show says what is not proven when verification fails" {
    run_cella attest show "$stored" --at 2020-01-01T00:00:00Z
    expect_ok
    [[ $output == "NOT VERIFIED [CERTIFICATE_NOT_VALID_AT]"* ]]
    run_cella attest show "$stored" --at 2020-01-01T00:00:00Z --json
    expect_ok
    [ "$(jq .verified <<<"$output")" = false ]
    [ "$(jq .verdict <<<"$output")" = null ]
    [ "$(jq -r .unverified.code_hash <<<"$output")" = "$code" ]
}

@test "verify accepts what the constraint accepts and nothing else" {
    run_cella attest verify "$stored" --at "$at" --constraint "C:$code SEC:INSECURE" --json
    expect_ok
    [ "$(jq -r .level <<<"$output")" = INSECURE ]
    [ "$(jq .simulated <<<"$output")" = true ]
    run_cella attest verify "$stored" --at "$at" --constraint "C:$code"
    expect_status REFUSED_LEVEL 4
    [ -z "$output" ]
    run_cella attest verify "$stored" --at "$at" --constraint "C:${code/c0/c1} SEC:INSECURE"
    expect_status REFUSED_CODE 4
    run_cella attest verify "$stored" --at "$at"
    [ "$status" -eq 2 ]
}

@test "verify demands the nonce, the floors and the time" {
    base=(attest verify "$stored" --constraint "C:$code SEC:INSECURE")
    run_cella "${base[@]}" --at "$at" --nonce "$nonce"
    expect_ok
    run_cella "${base[@]}" --at "$at" --nonce "${nonce/09/08}"
    expect_status NONCE_MISMATCH 5
    run_cella "${base[@]}" --at "$at" --floor tcb=999999
    expect_status COLLATERAL_BELOW_FLOOR 5
    run_cella "${base[@]}" --at "$at" --floor issued=2025-12-01T00:00:00Z
    expect_status COLLATERAL_BELOW_FLOOR 5
    run_cella "${base[@]}" --at 2027-01-01T00:00:00Z
    expect_status COLLATERAL_NOT_VALID_AT 5
    run_cella "${base[@]}" --at "$at" --floor never=1
    expect_status USAGE 2
}

@test "an attestation may be base64 text" {
    base64 "$stored" >text
    run_cella attest verify text --at "$at" --constraint "C:$code SEC:INSECURE"
    expect_ok
}

@test "what is no attestation is damaged" {
    head -c 100 "$stored" >cut
    run_cella attest show cut
    expect_status DAMAGED 9
    run_cella attest show missing
    expect_status NOT_FOUND 3
}

@test "constraint check prints the canonical line or names the token" {
    run_cella constraint check "PROD:010  S:${code^^} SEC:SECURE"
    expect_ok
    [ "$output" = "S:$code PROD:10 SEC:SECURE" ]
    run_cella constraint check "C:$code SEC:stale"
    expect_status CONSTRAINT_SYNTAX 2
    [[ $stderr == *'"SEC:stale"'* ]]
    run_cella constraint check "S:$code"
    expect_status CONSTRAINT_INCOMPLETE 2
    run_cella constraint check ""
    expect_status CONSTRAINT_INCOMPLETE 2
}

@test "constraint explain prints each rule with what was found" {
    run_cella constraint explain "C:$code REVOKE:9" --attestation "$stored" --at "$at" --json
    [ "$status" -eq 4 ]
    [ "$(jq -r .status <<<"$output")" = REFUSED_REVOKED ]
    [ "$(jq -r '.rules[] | select(.rule == "C") | .holds' <<<"$output")" = true ]
    [ "$(jq -r '.rules[] | select(.rule == "REVOKE") | .found' <<<"$output")" = "security version 4" ]
    run_cella constraint explain "C:$code"
    expect_ok
    [[ $output != *found* ]]
}

@test "a root that is no certificate is refused by name, needed or not" {
    cella sim new m --own-vendor
    cella sim show m --root >root.pem
    openssl x509 -in root.pem -outform DER -out root.der
    cat root.pem root.pem >two.pem
    openssl ecparam -name secp384r1 -genkey -noout -out p384.key
    openssl req -x509 -new -key p384.key -subj /CN=other -days 2 -out p384.pem 2>/dev/null
    printf 'no certificate\n' >junk
    : >empty
    for option in --root --vouched-root; do
        for bad in junk empty two.pem p384.pem p384.key; do
            for verb in "attest show $stored" "attest verify $stored --constraint C:$code" \
                "constraint explain C:$code --attestation $stored" "constraint explain C:$code"; do
                [[ $option == --root || $verb == attest* ]] || continue
                read -ra words <<<"$verb"
                run_cella "${words[@]}" --at "$at" "$option" "$bad"
                expect_status CERTIFICATE_INVALID 9
                [[ $stderr == *"error: $bad is not one certificate"* ]]
                [ -z "$output" ]
            done
        done
        for good in root.pem root.der; do
            run_cella attest verify "$stored" --at "$at" --constraint "C:$code SEC:INSECURE" "$option" "$good"
            expect_ok
        done
    done
}

@test "a vendor's own root counts as far as the caller vouches for it" {
    cella sim new m --own-vendor
    cella sim show m --root >root.pem
    image="$CELLA_BIN/../examples/echo/echo.enclave"
    start_host --state state --machine m --image echo="$image"
    curl --silent --fail "$host_url/v1/enclaves/echo/attestation" >own.bin
    hash=$(cella image show --json "$image" | jq -r .code_hash)
    run_cella attest verify own.bin --constraint "C:$hash SEC:INSECURE"
    expect_status UNTRUSTED_ROOT 4
    [[ $stderr == *"own.bin: "* ]]
    run_cella attest verify own.bin --constraint "C:$hash SEC:INSECURE" --root root.pem --json
    expect_ok
    [ "$(jq -r .level <<<"$output")" = INSECURE ]
    run_cella attest verify own.bin --constraint "C:$hash" --root root.pem
    expect_status REFUSED_LEVEL 4
    run_cella attest verify own.bin --constraint "C:$hash" --vouched-root root.pem --json
    expect_ok
    [ "$(jq -r .level <<<"$output")" = SECURE ]
    cella sim new other --own-vendor
    cella sim show other --root >other.pem
    run_cella attest verify own.bin --constraint "C:$hash" --vouched-root other.pem
    expect_status UNTRUSTED_ROOT 4
}

@test "only a revocation list may be missing" {
    for what in pck-crl root-crl; do
        run_cella attest verify "$stored" --at "$at" --constraint "C:$code SEC:INSECURE" --may-miss "$what"
        expect_ok
    done
    run_cella attest verify "$stored" --at "$at" --constraint "C:$code SEC:INSECURE" --may-miss tcb-info
    expect_status USAGE 2
}

@test "errors name the attestation's file" {
    head -c 100 "$stored" >cut
    run_cella attest show cut
    expect_status DAMAGED 9
    [[ $stderr == *"error: cut: "* ]]
    run_cella attest verify "$stored" --at "$at" --constraint "C:$code"
    expect_status REFUSED_LEVEL 4
    [[ $stderr == *"error: $stored: "* ]]
}

@test "fetch stores an attestation of a running enclave, which verify accepts with its nonce" {
    start_background run.log cella run "$CELLA_BIN/../examples/echo/echo.enclave" --state state --listen 127.0.0.1:0
    wait_for_line run.log '^constraint '
    url=$(awk '$1 == "url" {print $2}' run.log)
    constraint=$(sed -n 's/^constraint *//p' run.log)
    run_cella attest fetch --url "$url" --enclave echo --nonce random --out a.bin
    expect_ok
    [[ $output =~ ^nonce\ ([0-9a-f]{64})$ ]]
    random=${BASH_REMATCH[1]}
    run_cella attest verify a.bin --constraint "$constraint" --nonce "$random"
    expect_ok
    run_cella attest verify a.bin --constraint "$constraint" --nonce "$nonce"
    expect_status NONCE_MISMATCH 5
    run_cella attest fetch --url "$url" --enclave echo --nonce "$nonce" --out b.bin --json
    expect_ok
    [ "$(jq -r .nonce <<<"$output")" = "$nonce" ]
    [ "$(jq -r .size <<<"$output")" = "$(stat -c %s b.bin)" ]
    run_cella attest verify b.bin --constraint "$constraint" --nonce "$nonce"
    expect_ok
    run_cella attest fetch --url "$url" --enclave echo --out c.bin --json
    expect_ok
    [ "$(jq -r .nonce <<<"$output")" = null ]
    run_cella attest verify c.bin --constraint "$constraint"
    expect_ok
    before=$(md5sum a.bin)
    run_cella attest fetch --url "$url" --enclave echo --out a.bin
    expect_status EXISTS 1
    [ "$before" = "$(md5sum a.bin)" ]
    run_cella attest fetch --url "$url" --enclave nobody --out d.bin
    [ "$status" -ne 0 ]
    [ ! -e d.bin ]
}

@test "fetch refuses wrong words and says when no host is there" {
    run_cella attest fetch --url http://127.0.0.1:1 --enclave echo --out a.bin
    expect_status HOST_UNREACHABLE 7
    run_cella attest fetch --url http://127.0.0.1:1 --enclave echo --nonce 00 --out a.bin
    expect_status USAGE 2
    run_cella attest fetch --url nonsense://x --enclave echo --out a.bin
    expect_status CLIENT_URL 2
    run_cella attest fetch --enclave echo --out a.bin
    expect_status USAGE 2
    run_cella attest fetch --help
    expect_ok
    [[ $output == "usage: cella attest fetch"* ]]
    [ ! -e a.bin ]
}
