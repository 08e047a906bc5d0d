/* The demo's ledger: its keys, its image, its clients, its accounts. Each client acts through the same code
 * as the program ledger-branch. */
#include "base/error.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/secret.h"
#include "cli/demo_ledger.h"
#include "crypto/ed25519.h"
#include "crypto/owner_key.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_LIMIT = 16 << 20, ATTEMPTS = 40 };

const char *demo_ledger_client_name(unsigned client) {
    static const char *const names[DEMO_LEDGER_CLIENTS] = {"branch-1", "branch-2", "branch-3", "branch-4",
                                                           "issuer"};
    return names[client];
}

static struct demo_path client_path(const struct demo *demo, unsigned client) {
    return demo_path(demo, "%s.client", demo_ledger_client_name(client));
}

enum cella_status demo_ledger_client(const struct demo *demo, unsigned client,
                                     struct cella_client **ret_client, struct cella_error *error) {
    struct demo_path path = client_path(demo, client);
    const struct cella_client_options options = {.state_path = path.text,
                                                 .url = demo->ledger->url,
                                                 .enclave = DEMO_LEDGER,
                                                 .constraint = demo->ledger->constraint,
                                                 .attempt_limit = ATTEMPTS};
    return cella_client_open(&options, ret_client, error);
}

static enum cella_status ask(struct demo *demo, unsigned client, const char *question, char **ret_answer,
                             struct cella_error *error) {
    struct cella_client *opened = NULL;
    *error = (struct cella_error){.message = ""};
    enum cella_status status = demo_ledger_client(demo, client, &opened, error);
    if (status == CELLA_OK)
        status = branch_ask(opened, question, ret_answer, error);
    cella_client_free(opened);
    return status;
}

char *demo_ledger_ask(struct demo *demo, unsigned client, const char *question) {
    struct cella_error error;
    char *answer = NULL;
    enum cella_status status = ask(demo, client, question, &answer, &error);
    return demo_ok(&demo->story, status, &error, demo_ledger_client_name(client)) ? answer : NULL;
}

enum cella_status demo_ledger_try(struct demo *demo, unsigned client, const char *question,
                                  struct cella_error *error) {
    char *answer = NULL;
    enum cella_status status = ask(demo, client, question, &answer, error);
    free(answer);
    return status;
}

static enum cella_status make_client(struct demo *demo, unsigned client, struct cella_error *error) {
    struct demo_path path = client_path(demo, client);
    const struct cella_client_options options = {.state_path = path.text};
    struct cella_client *made = NULL;
    uint8_t key[CELLA_CLIENT_KEY_SIZE];
    enum cella_status status = cella_client_new(&options, &made, error);
    if (status != CELLA_OK)
        return status;
    cella_client_public_key(made, key);
    cella_client_free(made);
    cella_hex_encode(key, sizeof key, demo->ledger->keys[client]);
    return CELLA_OK;
}

/* The key of the vault's owner, as `cella key new --type owner` makes it, and its line of settings. */
static enum cella_status make_owner(const struct demo *demo, char *line, size_t capacity,
                                    struct cella_error *error) {
    struct demo_path path = demo_path(demo, "ledger-owner.pem");
    struct cella_ed25519_key key;
    char *pem = NULL, digits[2 * CELLA_ED25519_PUBLIC_SIZE + 1];
    size_t size = 0;
    if (cella_ed25519_generate(&key) != CELLA_OK)
        return cella_fail(error, CELLA_CRYPTO, "the owner's key cannot be made");
    enum cella_status status = cella_owner_key_write(&key, &pem, &size);
    cella_hex_encode(key.public_key, sizeof key.public_key, digits);
    cella_ed25519_deinit(&key);
    snprintf(line, capacity, "owner = %s", digits);
    if (status == CELLA_OK)
        status = cella_file_create(path.text, CELLA_BYTES(pem, size), CELLA_FILE_PRIVATE, error);
    cella_wipe_free(pem, size);
    return status;
}

static bool read_transfers(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path path = demo_file(demo, DEMO_LEDGER, "transfers.txt");
    uint8_t *text = NULL;
    size_t size = 0;
    if (!demo_ok(&demo->story, cella_file_read(path.text, FILE_LIMIT, &text, &size, &error), &error,
                 path.text))
        return false;
    bool read = plain_file_parse((const char *)text, size, &demo->ledger->file);
    free(text);
    return demo_check(&demo->story, read && demo->ledger->file.count == 100000,
                      "the file has %zu transfers between %d accounts of %d branches; some must be refused",
                      demo->ledger->file.count, PLAIN_ACCOUNTS, PLAIN_BRANCHES);
}

bool demo_ledger_agree(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path image = demo_path(demo, DEMO_LEDGER ".enclave"), folder = demo_path(demo, DEMO_LEDGER);
    char owner[128];
    uint8_t code_hash[32];
    demo_step(&demo->story, "A ledger: state that has to survive");
    demo->ledger = calloc(1, sizeof *demo->ledger);
    if (demo->ledger == NULL || mkdir(folder.text, 0700) != 0)
        return demo_check(&demo->story, false, "the ledger's folder cannot be made");
    if (!read_transfers(demo))
        return false;
    for (unsigned i = 0; i < DEMO_LEDGER_CLIENTS; i++)
        if (!demo_ok(&demo->story, make_client(demo, i, &error), &error, "a client's key"))
            return false;
    enum cella_status status = make_owner(demo, owner, sizeof owner, &error);
    const struct demo_value values[] = {{"ISSUER", demo->ledger->keys[DEMO_LEDGER_ISSUER]},
                                        {"OWNERS", owner}};
    const struct demo_recipe recipe = {
        .example = DEMO_LEDGER, .values = values, .value_count = 2, .signer = demo->signer};
    if (status == CELLA_OK)
        status = demo_image_make(demo, &recipe, image.text, code_hash, &error);
    if (!demo_ok(&demo->story, status, &error, "the ledger's image"))
        return false;
    demo_constraint(code_hash, demo->ledger->constraint, sizeof demo->ledger->constraint);
    demo_fact(&demo->story, "four branches, an issuer of money and an owner have a key each");
    demo_fact(&demo->story, "constraint C:%.16s... SEC:INSECURE", demo->ledger->constraint + strlen("C:"));
    demo_end(&demo->story,
             "Who may issue money, and who may bring the state back to an older one, is measured "
             "with the program. The host is neither.");
    return true;
}

/* Sends a text of instructions that must all be carried out. */
static bool send_all(struct demo *demo, unsigned client, char *text, const char *name) {
    struct cella_error error = {.message = ""};
    struct demo_path progress = demo_path(demo, "%s.%s.progress", demo_ledger_client_name(client), name);
    struct cella_client *opened = NULL;
    struct branch_progress sent = {.answered = 0};
    enum cella_status status = text != NULL ? demo_ledger_client(demo, client, &opened, &error)
                                            : cella_fail(&error, CELLA_NO_MEMORY, "no memory");
    const struct branch_feed feed = {.client = opened,
                                     .instructions = CELLA_BYTES(text, text != NULL ? strlen(text) : 0),
                                     .progress_path = progress.text,
                                     .batch = 1000};
    if (status == CELLA_OK)
        status = branch_send(&feed, &sent, &error);
    cella_client_free(opened);
    free(text);
    return demo_ok(&demo->story, status, &error, demo_ledger_client_name(client)) &&
           (sent.opened + sent.done == sent.answered ||
            demo_check(&demo->story, false, "%s: not all was carried out", demo_ledger_client_name(client)));
}

bool demo_ledger_open(struct demo *demo) {
    struct demo_path vault = demo_ledger_vault(demo);
    demo_step(&demo->story, "A host in a process of its own keeps the ledger's vault");
    demo_fact(&demo->story, "cella host --state ledger --machine machine --image ledger=ledger.enclave "
                            "--restart=16");
    if (!demo_ledger_host_start(demo))
        return false;
    json_t *status = demo_ledger_status(demo);
    if (status == NULL)
        return false;
    json_t *kept = json_object_get(status, "vault");
    demo_fact(&demo->story, "process %d, %s; vault %.16s... in %s", (int)demo->ledger->host,
              demo->ledger->url, json_string_value(json_object_get(kept, "id")),
              vault.text + strlen(demo->folder) + 1);
    demo_fact(&demo->story, "weak: bound to one machine, and that is a simulated one: INSECURE");
    json_decref(status);
    for (unsigned i = 0; i < PLAIN_BRANCHES; i++)
        if (!send_all(demo, i, plain_openings_of(i), "openings"))
            return false;
    if (!send_all(demo, DEMO_LEDGER_ISSUER, plain_issues(), "issues"))
        return false;
    plain_books_init(&demo->ledger->books);
    bool held = demo_ledger_check_audit(demo, DEMO_LEDGER_ISSUER);
    demo_end(&demo->story,
             "An answer leaves the enclave only after what it tells of is sealed and safe on disk. "
             "The host stores bytes that it cannot read.");
    return held;
}
