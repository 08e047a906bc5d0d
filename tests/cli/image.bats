#!/usr/bin/env bats
# cella image and cella key: make, sign in one and two steps, show, recompute, compare.
load common

KEY="$CELLA_SOURCE/cmake/INSECURE-development-signing-key.pem"
ELF="$CELLA_SOURCE/tests/vectors/image/tiny.elf"
SIGNED="$CELLA_SOURCE/tests/vectors/image/tiny.enclave"

setup() {
    cella_setup
    cat >enclave.conf <<'END'
[enclave]
name = tiny
product_id = 4660
security_version = 5
debug = true
heap_size = 1M
stack_size = 64K
threads = 2
[limits]
max_queued = 16
[vault]
owner = d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a
owner = 3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c
owner_threshold = 2
[application]
survey.id =
greeting = hello; world
END
}
teardown() { cella_teardown; }

build() { cella image build "$ELF" --config enclave.conf --out "${1:-a.enclave}" "${@:2}" >/dev/null; }
field() { python3 -c 'import json, sys; v = json.load(sys.stdin)[sys.argv[1]]; print(json.dumps(v) if isinstance(v, (list, dict, bool)) else v)' "$1"; }

@test "build and sign give the bytes that the independent script computed" {
    build a.enclave
    cella image sign a.enclave --key "$KEY" >/dev/null
    cmp a.enclave "$SIGNED"
}

@test "python recomputes the code hash of image show from image pages" {
    cella image pages "$SIGNED" --json --data pages.data >pages.json
    run python3 "$CELLA_SOURCE/tests/cli/recompute_code_hash.py" pages.json pages.data
    expect_ok
    [ "$output" = "$(cella image show "$SIGNED" --json | field code_hash)" ]
}

@test "python recomputes the code hash of an image with the whole runtime" {
    local image="${CELLA_BIN%/bin}/examples/echo/echo.enclave"
    cella image pages "$image" --json --data pages.data >pages.json
    run python3 "$CELLA_SOURCE/tests/cli/recompute_code_hash.py" pages.json pages.data
    expect_ok
    [ "$output" = "$(cella image show "$image" --json | field code_hash)" ]
}

@test "a changed byte of the pages changes the recomputed hash" {
    cella image pages "$SIGNED" --json --data pages.data >pages.json
    printf '\x01' | dd of=pages.data bs=1 seek=5000 conv=notrunc status=none
    run python3 "$CELLA_SOURCE/tests/cli/recompute_code_hash.py" pages.json pages.data
    expect_ok
    [ "$output" != "$(cella image show "$SIGNED" --json | field code_hash)" ]
}

@test "show names identity, settings and weak choices" {
    cella image show "$SIGNED" --json >show.json
    [ "$(field name <show.json)" = tiny ]
    [ "$(field product_id <show.json)" = 4660 ]
    [ "$(field security_version <show.json)" = 5 ]
    [ "$(field debug <show.json)" = true ]
    [ "$(field code_signer <show.json)" = cff7233e47f0f537d55deb86f4d95c45094c1b304e2123323767b20cfe49be4d ]
    [ "$(field weak <show.json)" = '["debug image", "INSECURE development signer"]' ]
    run_cella image show "$SIGNED"
    expect_ok
    [[ $output == *"application.greeting = hello; world"* ]]
    [[ $output == *"INSECURE development signer"* ]]
}

@test "show says what the vault is bound to and who its owners are" {
    run_cella image show "$SIGNED"
    expect_ok
    [[ $output == *"vault             a vault bound to one machine, keys of its signer and product, restored by 2 of 2 owners"* ]]
    [[ $output == *"owner "*"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"* ]]
    cella image show "$SIGNED" --json | field settings >settings.json
    [ "$(field kind <settings.json)" = machine ]
    [ "$(field key_policy <settings.json)" = signer ]
    [ "$(field owner_threshold <settings.json)" = 2 ]
    [ "$(field owners <settings.json | grep -o '"[0-9a-f]*"' | wc -l)" = 2 ]
    sed -i '/^owner/d; s/\[vault\]/[vault]\nkind = none/' enclave.conf
    build none.enclave
    run_cella image show none.enclave
    expect_ok
    [[ $output == *"vault             none: what it knows ends with the instance"* ]]
}

@test "an image with a release key and without debug has no weak choice" {
    sed -i 's/debug = true/debug = false/' enclave.conf
    cella key new key.pem >/dev/null
    build a.enclave
    cella image sign a.enclave --key key.pem >signer.txt
    [ "$(cella image show a.enclave --json | field weak)" = "[]" ]
    [ "$(cat signer.txt)" = "$(cella key show key.pem)" ]
}

@test "a changed image is refused by show" {
    cp "$SIGNED" bad.enclave
    printf '\xff' | dd of=bad.enclave bs=1 seek=8200 conv=notrunc status=none
    run_cella image show bad.enclave
    expect_status IMAGE_MISMATCH 9
    head -c 12000 "$SIGNED" >short.enclave
    run_cella image show short.enclave
    expect_status DAMAGED 9
}

@test "a signature made by openssl with a key that is elsewhere is taken in" {
    cella key new key.pem --public public.pem >signer.txt
    build a.enclave
    cella image sign a.enclave --digest-out a.digest --signed-bytes-out a.bytes
    openssl dgst -sha256 -binary a.bytes | cmp - a.digest
    openssl pkeyutl -sign -inkey key.pem -pkeyopt digest:sha256 -in a.digest -out a.sig
    openssl dgst -sha256 -sign key.pem -out a.sig2 a.bytes
    cmp a.sig a.sig2
    run_cella image sign a.enclave --signature-in a.sig --public-key public.pem --out two.enclave
    expect_ok
    [ "$output" = "$(cat signer.txt)" ]
    cella image sign a.enclave --key key.pem --out one.enclave >/dev/null
    cmp one.enclave two.enclave
}

@test "a signature of another key is refused and nothing is written" {
    cella key new key.pem >/dev/null
    cella key new other.pem --public other.pub >/dev/null
    build a.enclave
    cp a.enclave before
    cella image sign a.enclave --digest-out a.digest
    openssl pkeyutl -sign -inkey key.pem -pkeyopt digest:sha256 -in a.digest -out a.sig
    run_cella image sign a.enclave --signature-in a.sig --public-key other.pub
    expect_status IMAGE_SIGNATURE 9
    cmp a.enclave before
}

@test "a private key that others can read is refused unless it is the development key" {
    cella key new key.pem >/dev/null
    [ "$(stat -c %a key.pem)" = 600 ]
    build a.enclave
    chmod 644 key.pem
    run_cella image sign a.enclave --key key.pem
    expect_status PERMISSION 1
    cp "$KEY" dev.pem
    chmod 644 dev.pem
    run_cella image sign a.enclave --key dev.pem
    expect_ok
    [[ $stderr == *"INSECURE development key"* ]]
}

@test "keys that cannot sign images are refused" {
    build a.enclave
    (umask 077 && openssl genrsa -out wrong.pem 3072 2>/dev/null)
    run_cella image sign a.enclave --key wrong.pem
    expect_status SIGNING_KEY 2
    (umask 077 && openssl genrsa -3 -aes128 -passout pass:x -out locked.pem 3072 2>/dev/null)
    run_cella image sign a.enclave --key locked.pem
    expect_status KEY_INVALID 9
}

@test "key new never overwrites" {
    cella key new key.pem >/dev/null
    cp key.pem before
    run_cella key new key.pem
    expect_status EXISTS 1
    cmp key.pem before
}

@test "dry runs write nothing" {
    run_cella key new key.pem --dry-run
    expect_ok
    [ ! -e key.pem ]
    run_cella image build "$ELF" --config enclave.conf --dry-run
    expect_ok
    [[ $output == "code hash "* ]]
    build a.enclave
    cp a.enclave before
    run_cella image sign a.enclave --key "$KEY" --dry-run
    expect_ok
    cmp a.enclave before
}

@test "the date comes from the option, then from SOURCE_DATE_EPOCH, then is fixed" {
    build a.enclave
    [ "$(cella image show a.enclave --json | field date)" = 19700101 ]
    SOURCE_DATE_EPOCH=951782400 build b.enclave
    [ "$(cella image show b.enclave --json | field date)" = 20000229 ]
    SOURCE_DATE_EPOCH=951782400 build c.enclave --date 2026-01-31
    [ "$(cella image show c.enclave --json | field date)" = 20260131 ]
    run_cella image build "$ELF" --config enclave.conf --out d.enclave --date 2026-02-30
    expect_status ARGUMENT 2
    SOURCE_DATE_EPOCH=yesterday run_cella image build "$ELF" --config enclave.conf --out d.enclave
    expect_status ARGUMENT 2
    [ ! -e d.enclave ]
}

@test "an unknown key of enclave.conf names file, line and the nearest key" {
    sed -i 's/heap_size/heapsize/' enclave.conf
    run_cella image build "$ELF" --config enclave.conf --out a.enclave
    expect_status CONF_UNKNOWN_KEY 2
    [[ $stderr == *"enclave.conf:6"*"heap_size"* ]]
    [ ! -e a.enclave ]
}

@test "a program that is linked for a normal system is refused with its reason" {
    run_cella image build "$CELLA_BIN/cella" --config enclave.conf --out a.enclave
    expect_status ELF_DYNAMIC 1
    [ ! -e a.enclave ]
}

@test "diff says nothing about identical images and ends with 0" {
    build a.enclave
    run_cella image diff a.enclave a.enclave
    expect_ok
    [ -z "$output" ]
}

@test "diff names changed settings, the first page and the identity" {
    build a.enclave
    sed -i 's/threads = 2/threads = 3/; s/hello; world/goodbye/; /^owner = d75a/d; s/owner_threshold = 2/key_policy = image/' enclave.conf
    build b.enclave
    run_cella image diff a.enclave b.enclave
    [ "$status" -eq 1 ]
    [[ $output == *"threads: 2 -> 3"* ]]
    [[ $output == *"key_policy: signer -> image"* ]]
    [[ $output == *"owner: d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a -> (none)"* ]]
    [[ $output == *'greeting: "hello; world" -> "goodbye"'* ]]
    [[ $output == *"(settings)"* ]]
    [[ $output == *"code hash: "* ]]
    [[ $output != *"code signer: "* ]]
}

@test "diff sees that only the signer changed" {
    cella key new key.pem >/dev/null
    cella image sign "$SIGNED" --key key.pem --out b.enclave >/dev/null
    run_cella image diff "$SIGNED" b.enclave --json
    [ "$status" -eq 1 ]
    [ "$(field code_hash_changed <<<"$output")" = false ]
    [ "$(field code_signer_changed <<<"$output")" = true ]
}

@test "wrong use is explained" {
    run_cella image
    expect_status USAGE 2
    run_cella image paint
    expect_status USAGE 2
    run_cella image sign "$SIGNED"
    expect_status USAGE 2
    run_cella image sign "$SIGNED" --key a --digest-out b
    expect_status USAGE 2
    run_cella key new
    expect_status USAGE 2
    for part in build sign show pages diff; do
        run_cella image "$part" --help
        expect_ok
        [[ $output == "usage: cella image $part"* ]]
    done
}

# untouched OPTIONS…: the command fails with EXISTS, and no file of the folder changed.
untouched() {
    local before
    before=$(md5sum -- *.*)
    run_cella "$@"
    expect_status EXISTS 1
    [ "$before" = "$(md5sum -- *.*)" ]
}

@test "an output option never destroys a key" {
    cella key new k.pem --public p.pem >/dev/null
    build e.enclave
    ln k.pem link.pem
    untouched image sign e.enclave --digest-out k.pem
    untouched image sign e.enclave --signed-bytes-out k.pem
    untouched image sign e.enclave --key k.pem --out k.pem
    untouched image sign e.enclave --key k.pem --out link.pem
    untouched image build "$ELF" --config enclave.conf --out k.pem
    untouched image pages e.enclave --data k.pem
    head -c 384 /dev/zero >a.sig
    untouched image sign e.enclave --signature-in a.sig --public-key p.pem --out a.sig
    untouched image sign e.enclave --signature-in a.sig --public-key p.pem --out p.pem
}

@test "an output option never destroys a source or its own image" {
    cp "$ELF" ee.elf
    build x.enclave
    untouched image build ee.elf --config enclave.conf --out enclave.conf
    untouched image build ee.elf --config enclave.conf --out ee.elf
    untouched image build ee.elf --config enclave.conf --out enclave.conf --dry-run
    untouched image sign x.enclave --digest-out x.enclave
    untouched image sign x.enclave --signed-bytes-out x.enclave
    untouched image sign x.enclave --key "$KEY" --out enclave.conf
    untouched image pages x.enclave --data x.enclave
    untouched image pages x.enclave --data enclave.conf
    untouched image sign x.enclave --digest-out enclave.conf --dry-run
}

@test "an output option replaces an image with an image" {
    build x.enclave
    build x.enclave
    cp x.enclave y.enclave
    cella image sign x.enclave --key "$KEY" --out y.enclave >/dev/null
    cmp y.enclave "$SIGNED"
    cella image sign x.enclave --key "$KEY" --out x.enclave >/dev/null
    cmp x.enclave "$SIGNED"
}

@test "key new refuses in a dry run what it refuses in earnest" {
    run_cella key new k.pem --dry-run --json
    expect_ok
    [ "$(field dry_run <<<"$output")" = true ]
    [ ! -e k.pem ]
    run_cella key new k.pem --public k.pem
    expect_status USAGE 2
    [ ! -e k.pem ]
    cella key new k.pem >/dev/null
    untouched key new k.pem --dry-run
    untouched key new other.pem --public k.pem --dry-run
    untouched key new other.pem --public k.pem
}

@test "diff says which code hashes the images have and whether their signatures hold" {
    local hash
    hash=$(cella image show "$SIGNED" --json | field code_hash)
    build plain.enclave
    cp "$SIGNED" bad.enclave
    printf '\xff' | dd of=bad.enclave bs=1 seek=8200 conv=notrunc status=none
    run_cella image diff "$SIGNED" bad.enclave
    [ "$status" -eq 1 ]
    [[ $output == *"$SIGNED: code hash $hash, signature holds"* ]]
    [[ $output == *"bad.enclave: code hash $hash, signature IMAGE_MISMATCH"* ]]
    run_cella image diff "$SIGNED" plain.enclave --json
    [ "$status" -eq 1 ]
    [ "$(jq -r '.images[0].signature_holds' <<<"$output")" = true ]
    [ "$(jq -r '.images[1].signature_holds' <<<"$output")" = false ]
    [ "$(jq -r '.images[1].signature' <<<"$output")" = IMAGE_UNSIGNED ]
    [ "$(jq -r '.images[1].code_hash' <<<"$output")" = "$hash" ]
}

@test "show names the image that it refuses" {
    cp "$SIGNED" bad.enclave
    printf '\xff' | dd of=bad.enclave bs=1 seek=8200 conv=notrunc status=none
    run_cella image show bad.enclave
    expect_status IMAGE_MISMATCH 9
    [[ $stderr == *"error: bad.enclave: "* ]]
}
