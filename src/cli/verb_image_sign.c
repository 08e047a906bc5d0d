/* cella image sign: with a local key, or in two steps for a key that is elsewhere. */
#include "base/error.h"
#include "base/file.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "cli/verb_image.h"
#include "image/build.h"
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: cella image sign IMAGE --key KEY.pem [--out FILE] [--dry-run] [--json]\n"
    "       cella image sign IMAGE [--digest-out FILE] [--signed-bytes-out FILE]\n"
    "       cella image sign IMAGE --signature-in FILE --public-key KEY.pem [--out FILE] [--dry-run] "
    "[--json]\n"
    "\n"
    "Signs an image with an RSA-3072 key of exponent 3 and prints the code signer. For a key on\n"
    "another computer or in an HSM, write what is to be signed, sign it there (RSASSA-PKCS1-v1_5\n"
    "with SHA-256), and take the 384 bytes of the signature in:\n"
    "\n"
    "  cella image sign app.enclave --digest-out app.digest\n"
    "  openssl pkeyutl -sign -inkey KEY.pem -pkeyopt digest:sha256 -in app.digest -out app.sig\n"
    "  cella image sign app.enclave --signature-in app.sig --public-key PUBLIC.pem\n"
    "\n"
    "  --key FILE               private key (cella key new)\n"
    "  --digest-out FILE        write the SHA-256 of what is to be signed, 32 bytes, to a new file\n"
    "  --signed-bytes-out FILE  write what is to be signed, 256 bytes, to a new file\n"
    "  --signature-in FILE      the signature, 384 bytes\n"
    "  --public-key FILE        public key that the signature is verified with\n"
    "  --out FILE               write the signed image there (replaces an image, nothing else); otherwise\n"
    "                           IMAGE is replaced\n"
    "  --dry-run                check and sign, write nothing\n"
    "  --json                   print the result as JSON\n";

struct options {
    const char *image;
    const char *key;
    const char *digest_out;
    const char *bytes_out;
    const char *signature_in;
    const char *public_key;
    const char *out;
    bool dry_run;
    bool json;
};

static int check_options(int argc, char **argv, struct options *options) {
    if (argc - optind != 1)
        return cli_usage(usage, "name one image");
    options->image = argv[optind];
    bool local = options->key != NULL;
    bool first = options->digest_out != NULL || options->bytes_out != NULL;
    bool second = options->signature_in != NULL || options->public_key != NULL;
    if ((int)local + (int)first + (int)second != 1)
        return cli_usage(usage, "use one of --key, --digest-out, --signature-in");
    if (second && (options->signature_in == NULL || options->public_key == NULL))
        return cli_usage(usage, "--signature-in and --public-key belong together");
    if (first && options->out != NULL)
        return cli_usage(usage, "--out has no meaning when nothing is signed yet");
    if (first && options->digest_out != NULL && options->bytes_out != NULL &&
        strcmp(options->digest_out, options->bytes_out) == 0)
        return cli_usage(usage, "--digest-out and --signed-bytes-out name the same file");
    if (!first && options->out == NULL)
        options->out = options->image;
    return -1;
}

/* Returns -1 to go on, or the exit code. */
static int parse_options(int argc, char **argv, struct options *options) {
    static const struct option table[] = {{"key", required_argument, NULL, 'k'},
                                          {"digest-out", required_argument, NULL, 'd'},
                                          {"signed-bytes-out", required_argument, NULL, 'b'},
                                          {"signature-in", required_argument, NULL, 's'},
                                          {"public-key", required_argument, NULL, 'p'},
                                          {"out", required_argument, NULL, 'o'},
                                          {"dry-run", no_argument, NULL, 'n'},
                                          {"json", no_argument, NULL, 'j'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    for (int option; (option = getopt_long(argc, argv, ":", table, NULL)) != -1;) {
        switch (option) {
        case 'k':
            options->key = optarg;
            break;
        case 'd':
            options->digest_out = optarg;
            break;
        case 'b':
            options->bytes_out = optarg;
            break;
        case 's':
            options->signature_in = optarg;
            break;
        case 'p':
            options->public_key = optarg;
            break;
        case 'o':
            options->out = optarg;
            break;
        case 'n':
            options->dry_run = true;
            break;
        case 'j':
            options->json = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            return cli_usage_option(usage, argv);
        }
    }
    return check_options(argc, argv, options);
}

static bool is_development_key(const struct cella_rsa *key) {
    uint8_t modulus[CELLA_RSA_SIZE];
    uint8_t signer[CELLA_SHA256_SIZE];
    cella_rsa_modulus(key, modulus);
    cella_sha256(modulus, sizeof modulus, signer);
    return memcmp(signer, cella_development_signer, sizeof signer) == 0;
}

/* Others may read the development key, which is public, and no other one. */
static enum cella_status read_key(const char *path, struct cella_rsa **ret_key, struct cella_error *error) {
    uint8_t *pem = NULL;
    size_t size = 0;
    struct cella_error open_error = {0};
    enum cella_status open = cella_file_read_private(path, CELLA_RSA_PEM_LIMIT, &pem, &size, &open_error);
    enum cella_status status = open;
    if (open == CELLA_PERMISSION)
        status = cella_file_read(path, CELLA_RSA_PEM_LIMIT, &pem, &size, NULL);
    if (status != CELLA_OK)
        return cella_fail(error, open, "%s", open_error.message);
    struct cella_rsa *key = NULL;
    status = cella_rsa_read_private_pem(CELLA_BYTES(pem, size), &key, error);
    if (status != CELLA_OK)
        status = cella_fail_context(error, status, "%s", path);
    else if (open != CELLA_OK && !is_development_key(key))
        status = cella_fail(error, open, "%s", open_error.message);
    cella_wipe_free(pem, size);
    if (status != CELLA_OK) {
        cella_rsa_free(key);
        return status;
    }
    *ret_key = key;
    return CELLA_OK;
}

static enum cella_status sign_with_key(const struct options *options, struct cella_sigstruct *sigstruct,
                                       struct cella_error *error) {
    struct cella_rsa *key = NULL;
    enum cella_status status = read_key(options->key, &key, error);
    if (status == CELLA_OK)
        status = cella_sigstruct_sign(sigstruct, key, error);
    cella_rsa_free(key);
    return status;
}

static enum cella_status take_signature(const struct options *options, struct cella_sigstruct *sigstruct,
                                        struct cella_error *error) {
    struct cella_rsa *key = NULL;
    uint8_t *pem = NULL;
    uint8_t *signature = NULL;
    size_t pem_size = 0;
    size_t signature_size = 0;
    enum cella_status status =
        cella_file_read(options->public_key, CELLA_RSA_PEM_LIMIT, &pem, &pem_size, error);
    if (status == CELLA_OK) {
        status = cella_rsa_read_public_pem(CELLA_BYTES(pem, pem_size), &key, error);
        if (status != CELLA_OK)
            status = cella_fail_context(error, status, "%s", options->public_key);
    }
    if (status == CELLA_OK)
        status = cella_file_read(options->signature_in, CELLA_RSA_SIZE, &signature, &signature_size, error);
    if (status == CELLA_OK && signature_size != CELLA_RSA_SIZE)
        status = cella_fail(error, CELLA_IMAGE_SIGNATURE, "%s has %zu bytes, a signature has %d",
                            options->signature_in, signature_size, CELLA_RSA_SIZE);
    if (status == CELLA_OK)
        status = cella_sigstruct_set_signature(sigstruct, key, signature, error);
    cella_rsa_free(key);
    free(pem);
    free(signature);
    return status;
}

static enum cella_status write_material(const struct options *options,
                                        const struct cella_sigstruct *sigstruct, struct cella_error *error) {
    uint8_t bytes[CELLA_SIGSTRUCT_SIGNED_SIZE];
    uint8_t digest[CELLA_SHA256_SIZE];
    enum cella_status status = CELLA_OK;
    cella_sigstruct_signed_bytes(sigstruct, bytes);
    cella_sha256(bytes, sizeof bytes, digest);
    if (options->dry_run)
        return CELLA_OK;
    if (options->digest_out != NULL)
        status = cella_file_create(options->digest_out, CELLA_BYTES(digest, sizeof digest), CELLA_FILE_PUBLIC,
                                   error);
    if (status == CELLA_OK && options->bytes_out != NULL)
        status =
            cella_file_create(options->bytes_out, CELLA_BYTES(bytes, sizeof bytes), CELLA_FILE_PUBLIC, error);
    return status;
}

/* Before anything is done, dry run or not. */
static enum cella_status check_outputs(const struct options *options, struct cella_error *error) {
    const struct cli_output_path outputs[] = {
        {options->out, CLI_OUTPUT_IMAGE, {options->key, options->signature_in, options->public_key}},
        {options->digest_out, CLI_OUTPUT_NEW, {options->image}},
        {options->bytes_out, CLI_OUTPUT_NEW, {options->image}}};
    enum cella_status status = CELLA_OK;
    for (size_t i = 0; status == CELLA_OK && i < sizeof outputs / sizeof outputs[0]; i++)
        status = cli_output_check(&outputs[i], error);
    return status;
}

/* Puts the signature in, verifies the whole as the machine will, and writes. */
static enum cella_status finish(const struct options *options, struct cli_image *loaded,
                                const struct cella_sigstruct *sigstruct, struct cella_error *error) {
    struct cella_image image;
    enum cella_status status = cella_image_set_sigstruct(loaded->file, loaded->size, sigstruct, error);
    if (status == CELLA_OK)
        status = cella_image_open(CELLA_BYTES(loaded->file, loaded->size), &image, error);
    if (status == CELLA_OK)
        status = cella_image_verify(&image, error);
    if (status != CELLA_OK || options->dry_run)
        return status;
    return cella_file_write(options->out, CELLA_BYTES(loaded->file, loaded->size), CELLA_FILE_PUBLIC, error);
}

static int print(const struct options *options, const struct cella_sigstruct *sigstruct) {
    struct cli_hash_text hash = cli_hash_text(sigstruct->enclave_hash);
    struct cli_hash_text signer = cli_signer_text(sigstruct);
    if (strcmp(signer.text, cli_hash_text(cella_development_signer).text) == 0)
        cli_say("warning: signed with the INSECURE development key, which everyone has");
    if (!options->json) {
        printf("code signer %s\n", signer.text);
        return 0;
    }
    json_t *result = json_pack("{s:s, s:s, s:b}", "code_hash", hash.text, "code_signer", signer.text,
                               "written", !options->dry_run);
    if (result == NULL)
        return cli_fail(CELLA_NO_MEMORY, NULL, NULL);
    json_dumpf(result, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(result);
    return 0;
}

int cli_image_sign(int argc, char **argv) {
    struct options options = {0};
    int code = parse_options(argc, argv, &options);
    if (code >= 0)
        return code;
    struct cella_error error = {0};
    struct cli_image loaded = {0};
    bool is_first_step = options.digest_out != NULL || options.bytes_out != NULL;
    enum cella_status status = check_outputs(&options, &error);
    if (status == CELLA_OK)
        status = cli_image_load(options.image, &loaded, &error);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    struct cella_sigstruct sigstruct = loaded.image.sigstruct;
    if (is_first_step)
        status = write_material(&options, &sigstruct, &error);
    else if (options.key != NULL)
        status = sign_with_key(&options, &sigstruct, &error);
    else
        status = take_signature(&options, &sigstruct, &error);
    if (status == CELLA_OK && !is_first_step)
        status = finish(&options, &loaded, &sigstruct, &error);
    cli_image_unload(&loaded);
    if (status != CELLA_OK)
        return cli_fail(status, &error, NULL);
    return is_first_step ? 0 : print(&options, &sigstruct);
}
