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
