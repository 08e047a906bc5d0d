# cella sim: machines as a user makes, shows and changes them. openssl, which is not ours, judges certificates.
load common

setup() { cella_setup; }
teardown() { cella_teardown; }

field() { jq -r ".$1"; }

# The platform version that the PCK certificate of machine $1 names: the CPUSVN in hexadecimal.
pck_cpu_svn() {
    cella sim show "$1" --chain | openssl x509 -outform DER | od -An -v -tx1 | tr -d ' \n' |
        sed -n 's/.*2a864886f84d010d0102120410\(.\{32\}\).*/\1/p'
}

@test "a new machine says that it is insecure" {
    run_cella sim new m
    expect_ok
    [[ $output == "INSECURE simulated machine in m"* ]]
    run_cella sim show m --json
    expect_ok
    [ "$(field insecure <<<"$output")" = true ]
    [ "$(field kind <<<"$output")" = simulated ]
    [ "$(field tcb_status <<<"$output")" = UpToDate ]
    [ "$(field vendor <<<"$output")" = public ]
    [ "$(stat -c %a m)" = 700 ]
    [ "$(stat -c %a m/machine)" = 600 ]
}

@test "an existing machine is not overwritten" {
    cella sim new m
    before=$(sha256sum m/machine)
    run_cella sim new m
    expect_status EXISTS 1
    [ "$before" = "$(sha256sum m/machine)" ]
}

@test "openssl verifies the chain of a quote up to the vendor's root" {
    cella sim new m --own-vendor
    cella sim show m --root >root.pem
    cella sim show m --chain >chain.pem
    run -0 openssl verify -x509_strict -CAfile root.pem -untrusted chain.pem chain.pem
    cella sim new other --own-vendor
    cella sim show other --root >other.pem
    run -2 openssl verify -x509_strict -CAfile other.pem -untrusted chain.pem chain.pem
}

@test "every certificate has INSECURE in its names" {
    cella sim new m
    cella sim show m --chain >chain.pem
    run -0 openssl storeutl -text -certs chain.pem
    [ "$(grep -c 'Subject: CN *= *INSECURE Cella Simulated' <<<"$output")" -eq 3 ]
    [ "$(grep -c 'Issuer: CN *= *INSECURE Cella Simulated' <<<"$output")" -eq 3 ]
}

@test "two machines of the public vendor share its root and nothing else" {
    cella sim new one
    cella sim new two
    cmp <(cella sim show one --root) <(cella sim show two --root)
    [ "$(cella sim show one --json | field cpu_id)" != "$(cella sim show two --json | field cpu_id)" ]
}

@test "a machine can join another machine's vendor" {
    cella sim new one --own-vendor
    cella sim new two --vendor one
    cmp <(cella sim show one --root) <(cella sim show two --root)
    run_cella sim new three --vendor missing
    expect_status NOT_A_MACHINE 3
    [ ! -e three ]
}

@test "set-version issues the PCK certificate again" {
    cella sim new m
    [ "$(pck_cpu_svn m)" = 03030202ff8000000000000000000000 ]
    run_cella sim set-version m 2 --json
    expect_ok
    [ "$(field tcb_status <<<"$output")" = OutOfDate ]
    [ "$(pck_cpu_svn m)" = 02020202ff8000000000000000000000 ]
    run_cella sim set-version m --required 2 --json
    [ "$(field tcb_status <<<"$output")" = UpToDate ]
    run_cella sim set-version m 13
    expect_status ARGUMENT 2
    run_cella sim set-version m
    expect_status USAGE 2
}

@test "swap-cpu gives the folder another CPU" {
    cella sim new m
    before=$(cella sim show m --json | field cpu_id)
    run_cella sim swap-cpu m --dry-run
    expect_ok
    [ "$before" = "$(cella sim show m --json | field cpu_id)" ]
    run_cella sim swap-cpu m
    expect_ok
    [ "$before" != "$(cella sim show m --json | field cpu_id)" ]
}

@test "expire-collateral freezes the past and --renew ends that" {
    cella sim new m
    run_cella sim expire-collateral m --json
    expect_ok
    frozen=$(field collateral_frozen_at <<<"$output")
    [ "$(date -d "$frozen + 30 days" +%s)" -lt "$(date +%s)" ]
    run_cella sim expire-collateral m --renew --json
    [ "$(field collateral_frozen_at <<<"$output")" = null ]
}

@test "rewind-disk restores what was saved, but never a machine" {
    mkdir -p storage/vault
    echo old >storage/vault/head
    run_cella sim rewind-disk storage --save copy
    expect_ok
    echo new >storage/vault/head
    run_cella sim rewind-disk storage --restore copy --dry-run
    [ "$(cat storage/vault/head)" = new ]
    run_cella sim rewind-disk storage --restore copy
    expect_ok
    [ "$(cat storage/vault/head)" = old ]
    run_cella sim rewind-disk storage --save copy
    expect_status EXISTS 1
    cella sim new storage/m
    run_cella sim rewind-disk storage --save other
    expect_status ARGUMENT 2
    run_cella sim rewind-disk storage
    expect_status USAGE 2
}

@test "a machine that others may read is refused" {
    cella sim new m
    chmod 755 m
    run_cella sim show m
    expect_status PERMISSION 1
}

@test "a damaged machine is refused and left as it is" {
    cella sim new m
    truncate -s 100 m/machine
    run_cella sim show m
    expect_status MACHINE_DAMAGED 9
    run_cella sim set-version m 2
    expect_status MACHINE_DAMAGED 9
    [ "$(stat -c %s m/machine)" = 100 ]
}

@test "wrong words and options are named" {
    run_cella sim
    expect_status USAGE 2
    run_cella sim nonsense
    expect_status USAGE 2
    run_cella sim new m --nonsense
    expect_status USAGE 2
    run_cella sim new m --version many
    expect_status USAGE 2
    [ ! -e m ]
    run_cella sim --help
    expect_ok
    [[ $output == usage:* ]]
    run_cella sim swap-cpu --help
    expect_ok
}

@test "dry runs print JSON when asked" {
    run_cella sim new m --dry-run --json
    expect_ok
    [ "$(field dry_run <<<"$output")" = true ]
    [ ! -e m ]
    cella sim new m
    before=$(sha256sum m/machine)
    for change in set-version swap-cpu expire-collateral; do
        argument=()
        [ "$change" != set-version ] || argument=(2)
        run_cella sim "$change" m "${argument[@]}" --dry-run --json
        expect_ok
        [ "$(field dry_run <<<"$output")" = true ]
        [ "$before" = "$(sha256sum m/machine)" ]
    done
}
