/* cella key: makes and shows the keys that sign images, and those of a vault's owners. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verb_image.h"
#include "crypto/owner_key.h"
#include "crypto/rsa.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella key new FILE [--type signing|owner] [--public FILE] [--dry-run] [--json]\n"
    "       cella key show FILE [--json]\n"
    "\n"
    "new makes a key that signs images (RSA-3072, exponent 3) and prints its code signer, or the\n"
    "key of an owner of vaults (Ed25519), who can authorise a restore, and prints the line that\n"
    "names it in enclave.conf. The private key is in PEM form, without passphrase, readable only\n"
    "by you. An existing file is never overwritten. show prints the same of a private or public\n"
    "key.\n"
    "\n"
    "  --type TYPE      signing (the default) or owner\n"
    "  --public FILE    also write the public key there\n"
    "  --dry-run        say what would be written, write nothing\n"
    "  --json           print the result as JSON\n";

struct options {
    const char *part;
    const char *file;
    const char *public_file;
    bool owner;
    bool dry_run;
    bool json;
};

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options) {
    static const struct option table[] = {
        {"type", required_argument, NULL, 't'}, {"public", required_argument, NULL, 'p'},
        {"dry-run", no_argument, NULL, 'n'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        if (option == 't' && strcmp(optarg, "signing") != 0 && strcmp(optarg, "owner") != 0)
            return cli_usage(usage, "there is no type of key \"%s\"", optarg);
        if (option == 't')
            options->owner = strcmp(optarg, "owner") == 0;
        if (option == 'p')
            options->public_file = optarg;
        else if (option == 'n')
            options->dry_run = true;
        else if (option == 'j')
            options->json = true;
        else if (option == 'h') {
            fputs(usage, stdout);
            return 0;
        } else if (option != 't')
            return cli_usage_option(usage, argv);
    }
    if (argc - optind != 2)
        return cli_usage(usage, "name new or show, and one file");
    options->part = argv[optind];
    options->file = argv[optind + 1];
    if (strcmp(options->part, "new") != 0 && strcmp(options->part, "show") != 0)
        return cli_usage(usage, "cella key has no part \"%s\"", options->part);
    if (strcmp(options->part, "show") == 0 && (options->public_file != NULL || options->dry_run))
        return cli_usage(usage, "cella key show takes only --json");
    return -1;
}

static int print(const struct options *options, const struct cella_rsa *key) {
    uint8_t modulus[CELLA_RSA_SIZE];
    uint8_t hash[CELLA_SHA256_SIZE];
    cella_rsa_modulus(key, modulus);
    cella_sha256(modulus, sizeof modulus, hash);
    struct cli_hash_text signer = cli_hash_text(hash);
    if (memcmp(hash, cella_development_signer, sizeof hash) == 0)
        cli_say("warning: this is the INSECURE development key, which everyone has");
    if (!options->json) {
        printf("code signer %s\n", signer.text);
        return 0;
    }
    json_t *result = json_pack("{s:s, s:s, s:b}", "type", "signing", "code_signer", signer.text, "private",
                               cella_rsa_is_private(key));
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

static int print_owner(const struct options *options, const uint8_t public_key[CELLA_ED25519_PUBLIC_SIZE],
                       bool is_private) {
    char text[2 * CELLA_ED25519_PUBLIC_SIZE + 1];
    cella_hex_encode(public_key, CELLA_ED25519_PUBLIC_SIZE, text);
    if (!options->json) {
        printf("owner = %s\n", text);
        return 0;
    }
    json_t *result =
        json_pack("{s:s, s:s, s:b}", "type", "owner", "public_key", text, "private", (int)is_private);
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

/* A key in both forms. */
struct pem_pair {
    char *private_pem, *public_pem;
    size_t private_size, public_size;
};

static enum cella_status write_files(const struct options *options, const struct pem_pair *pair,
                                     struct cella_error *error) {
    enum cella_status status = cella_file_create(
        options->file, CELLA_BYTES(pair->private_pem, pair->private_size), CELLA_FILE_PRIVATE, error);
    if (status == CELLA_OK && options->public_file != NULL)
        status = cella_file_create(options->public_file, CELLA_BYTES(pair->public_pem, pair->public_size),
                                   CELLA_FILE_PUBLIC, error);
    return status;
}

static void free_pair(struct pem_pair *pair) {
    cella_wipe_free(pair->private_pem, pair->private_size);
    free(pair->public_pem);
}

/* Before anything is made, so that a dry run refuses what the real one would. */
static enum cella_status check_files(const struct options *options, struct cella_error *error) {
    const struct cli_output_path private_path = {options->file, CLI_OUTPUT_NEW, {NULL}};
    const struct cli_output_path public_path = {options->public_file, CLI_OUTPUT_NEW, {NULL}};
    enum cella_status status = cli_output_check(&private_path, error);
    if (status == CELLA_OK)
        status = cli_output_check(&public_path, error);
    if (status == CELLA_OK && options->public_file != NULL &&
        strcmp(options->file, options->public_file) == 0)
        status = cella_fail(error, CELLA_USAGE, "the private and the public key cannot be one file");
    return status;
}

static int print_plan(const struct options *options) {
    json_t *result = json_pack("{s:s, s:b, s:s, s:s?}", "type", options->owner ? "owner" : "signing",
                               "dry_run", 1, "file", options->file, "public_file", options->public_file);
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

static int make_signing_key(const struct options *options) {
    struct cella_error error = {0};
    struct pem_pair pair = {.private_pem = NULL};
    struct cella_rsa *key = NULL;
    enum cella_status status = cella_rsa_generate(&key);
    if (status == CELLA_OK)
        status = cella_rsa_write_private_pem(key, &pair.private_pem, &pair.private_size);
    if (status == CELLA_OK)
        status = cella_rsa_write_public_pem(key, &pair.public_pem, &pair.public_size);
    if (status == CELLA_OK)
        status = write_files(options, &pair, &error);
    int code = status == CELLA_OK ? print(options, key) : cli_fail(status, &error, NULL);
    free_pair(&pair);
    cella_rsa_free(key);
    return code;
}

static int make_owner_key(const struct options *options) {
    struct cella_error error = {0};
    struct pem_pair pair = {.private_pem = NULL};
    struct cella_ed25519_key key = {.prepared = NULL};
    enum cella_status status = cella_ed25519_generate(&key);
    if (status == CELLA_OK)
        status = cella_owner_key_write(&key, &pair.private_pem, &pair.private_size);
    if (status == CELLA_OK)
        status = cella_owner_key_write_public(&key, &pair.public_pem, &pair.public_size);
    if (status == CELLA_OK)
        status = write_files(options, &pair, &error);
    int code =
        status == CELLA_OK ? print_owner(options, key.public_key, true) : cli_fail(status, &error, NULL);
    free_pair(&pair);
    cella_ed25519_deinit(&key);
    return code;
}

static int new_key(const struct options *options) {
    struct cella_error error = {0};
    enum cella_status status = check_files(options, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    if (options->dry_run && options->json)
        return print_plan(options);
    if (options->dry_run) {
        cli_say("would write a new private key to %s", options->file);
        if (options->public_file != NULL)
            cli_say("would write its public key to %s", options->public_file);
        return 0;
    }
    return options->owner ? make_owner_key(options) : make_signing_key(options);
}

static int show_key(const struct options *options) {
    struct cella_error error = {0};
    struct cella_rsa *key = NULL;
    uint8_t *pem = NULL;
    size_t size = 0;
    uint8_t owner[CELLA_ED25519_PUBLIC_SIZE];
    bool is_private = false;
    enum cella_status status = cella_file_read(options->file, CELLA_RSA_PEM_LIMIT, &pem, &size, &error);
    bool is_owner = status == CELLA_OK &&
                    cella_owner_key_read_public(CELLA_BYTES(pem, size), owner, &is_private, NULL) == CELLA_OK;
    if (status == CELLA_OK && !is_owner) {
        status = cella_rsa_read_private_pem(CELLA_BYTES(pem, size), &key, &error);
        if (status == CELLA_KEY_INVALID)
            status = cella_rsa_read_public_pem(CELLA_BYTES(pem, size), &key, &error);
        if (status != CELLA_OK)
            status = cella_fail_context(&error, status, "%s", options->file);
    }
    int code = status != CELLA_OK ? cli_fail(status, &error, NULL)
               : is_owner         ? print_owner(options, owner, is_private)
                                  : print(options, key);
    cella_rsa_free(key);
    cella_wipe_free(pem, size);
    return code;
}

int cli_verb_key(int argc, char **argv) {
    struct options options = {0};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    return strcmp(options.part, "new") == 0 ? new_key(&options) : show_key(&options);
}
