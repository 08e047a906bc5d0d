/* Old copies of the ledger's disk: who notices, how, what it proves, and how it goes on. */
#include "base/error.h"
#include "cli/demo_child.h"
#include "cli/demo_ledger.h"
#include "machine/sim/tree.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_TRIES = 20, EXTRA = 3 };

static struct demo_path aside(const struct demo *demo, const char *name) {
    return demo_path(demo, DEMO_LEDGER "/%s", name);
}

/* Stops the host, keeps what lies there under `kept`, puts the folder `from` in its place. */
static bool exchange_disk(struct demo *demo, const char *kept, const char *from) {
    struct demo_path vault = demo_ledger_vault(demo), old = aside(demo, kept), new = aside(demo, from);
    if (demo->ledger->host > 0 && !demo_ledger_host_end(demo, SIGTERM))
        return false;
    if (rename(vault.text, old.text) == 0 && rename(new.text, vault.text) == 0)
        return true;
    return demo_check(&demo->story, false, "the folders cannot be exchanged: %s", strerror(errno));
}

/* Whether the enclave refused to start with this status; tells its own words. */
static bool check_refused_start(struct demo *demo, enum cella_status expected) {
    json_t *status = demo_ledger_status(demo);
    const char *word = json_string_value(json_object_get(status, "end_status"));
    const char *reason = json_string_value(json_object_get(status, "end_reason"));
    bool held = status != NULL &&
                demo_check(&demo->story, word != NULL && strcmp(word, cella_status_name(expected)) == 0,
                           "the enclave refuses to start: \"%s\" [%s]", reason != NULL ? reason : "",
                           word != NULL ? word : "it runs");
    json_decref(status);
    return held;
}

bool demo_ledger_refuse_stale(struct demo *demo) {
    static const char *const texts[] = {"The last start", "Likely cause", NULL};
    demo_step(&demo->story, "Refused: a copy of the disk from before a restart");
    demo_fact(&demo->story, "the host stops, and goes on with its copy of transfer %" PRIu64,
              demo->ledger->copied_at);
    if (!exchange_disk(demo, "newest", "copy-before-restart") || !demo_ledger_host_start(demo) ||
        !check_refused_start(demo, CELLA_VAULT_STALE) ||
        !demo_check(&demo->story, demo_ledger_explain(demo, texts), "the command says what happened and why"))
        return false;
    if (!exchange_disk(demo, "refused", "newest") || !demo_ledger_host_start(demo))
        return false;
    demo_fact(&demo->story, "the newest folder comes back, and the enclave starts");
    bool held = demo_ledger_check_audit(demo, 0);
    demo_end(&demo->story,
             "Each start is counted by the machine, and the state says which start it belongs to. "
             "No copy from before a restart ever opens; nothing in it was changed, and nothing is "
             "made anew.");
    return held;
}

/* --- a copy of the same epoch --- */

/* An account of the first branch that can pay the transfers. */
static unsigned payer(const struct demo_ledger *ledger) {
    unsigned account = 0;
    while (account + 1 < PLAIN_ACCOUNTS_OF_BRANCH && ledger->books.balances[account] < 100)
        account++;
    return account;
}

/* `count` further transfers of one cent by branch-1, which must be answered as plain computation says. */
static bool send_more(struct demo *demo, unsigned count) {
    struct demo_ledger *ledger = demo->ledger;
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    const struct plain_transfer transfer = {
        .branch = 0, .from = payer(ledger), .to = PLAIN_ACCOUNTS_OF_BRANCH, .amount = 1};
    char from[16], to[16], text[LEDGER_LINE_MAX], expected[PLAIN_ANSWER_SIZE];
    plain_account_name(transfer.from, from);
    plain_account_name(transfer.to, to);
    snprintf(text, sizeof text, "transfer %s %s 1\n", from, to);
    bool held = demo_ok(&demo->story, demo_ledger_client(demo, 0, &client, &error), &error, "branch-1");
    for (unsigned i = 0; held && i < count; i++) {
        struct demo_path path = demo_path(demo, "branch-1.extra-%u.progress", ledger->extra++);
        struct branch_progress sent = {.answered = 0};
        const struct branch_feed feed = {.client = client,
                                         .instructions = CELLA_BYTES(text, strlen(text)),
                                         .progress_path = path.text,
                                         .batch = 1};
        held = demo_ok(&demo->story, branch_send(&feed, &sent, &error), &error, "branch-1");
        plain_apply(&ledger->books, &transfer, expected);
        if (held && (sent.done != 1 || sent.receipt.number != ledger->books.entries ||
                     sent.receipt.balance != ledger->books.balances[transfer.from]))
            held = demo_check(&demo->story, false, "a transfer must be answered \"%s\"", expected);
        ledger->progress[0].receipt = sent.receipt;
    }
    cella_client_free(client);
    return held;
}

static bool copy_disk(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path vault = demo_ledger_vault(demo), copy = aside(demo, "copy-same-epoch");
    enum cella_status status = CELLA_IO;
    for (int i = 0; i < COPY_TRIES && status != CELLA_OK; i++)
        status = cella_sim_tree_copy(vault.text, copy.text, &error);
    return demo_ok(&demo->story, status, &error, "the copy");
}

/* Branch 4 has seen no more than the copy holds: to it, everything is as it was. */
static bool serve_the_unknowing(struct demo *demo, const char *before) {
    char *answer = demo_ledger_ask(demo, 3, "audit");
    if (answer == NULL)
        return false;
    bool held = demo_check(&demo->story, strncmp(answer, before, strlen(before)) == 0,
                           "branch-4 has seen none of the lost transfers and is served: on a vault that is "
                           "bound to one machine nobody can tell it");
    free(answer);
    return held;
}

static bool check_notice(struct demo *demo) {
    static const char *const texts[] = {"This is a proof of a fork", "signed by the vault", "So the vault",
                                        NULL};
    struct cella_error error = {.message = ""};
    char name[16], question[64];
    plain_account_name(payer(demo->ledger), name);
    snprintf(question, sizeof question, "statement %s 1", name);
    enum cella_status status = demo_ledger_try(demo, 0, question, &error);
    if (!demo_expect(&demo->story, status, CELLA_VAULT_FORK, &error,
                     "branch-1 comes with the newer head that it has seen, and the vault stops itself"))
        return false;
    status = demo_ledger_try(demo, 3, "audit", &error);
    return demo_expect(&demo->story, status, CELLA_VAULT_STOPPED, &error, "branch-4 is told, too") &&
           demo_check(&demo->story, demo_ledger_explain(demo, texts),
                      "the evidence in the vault's folder is verified, with no word of the host believed");
}

bool demo_ledger_notice(struct demo *demo) {
    char before[160];
    demo_step(&demo->story, "Noticed: a copy of the disk from the same epoch");
    if (!demo_ledger_check_audit(demo, 3) || !copy_disk(demo))
        return false;
    demo_ledger_audit_line(demo->ledger, before, sizeof before);
    demo_fact(&demo->story, "the operator copies the folder; branch-1 makes %d more transfers", EXTRA);
    demo_fact(&demo->story, "then the host goes on with the copy, which starts: it is of the newest epoch");
    bool held = send_more(demo, EXTRA) && exchange_disk(demo, "newest", "copy-same-epoch") &&
                demo_ledger_host_start(demo) && serve_the_unknowing(demo, before) && check_notice(demo);
    demo_end(&demo->story,
             "Within an epoch the machine's counter cannot tell old from new, but clients can: the "
             "first one that has seen more stops the vault, and leaves a proof that convinces "
             "anyone. Who must not be served even once needs more than one machine.");
    return held;
}

/* --- and the way back --- */

static bool authorise(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct demo_path state = aside(demo, ""), machine = demo_path(demo, "machine");
    struct demo_path key = demo_path(demo, "ledger-owner.pem"),
                     image = demo_path(demo, DEMO_LEDGER ".enclave");
    struct demo_path log = demo_path(demo, "restore.log");
    const char *const arguments[] = {"vault",
                                     "restore",
                                     DEMO_LEDGER,
                                     "--state",
                                     state.text,
                                     "--machine",
                                     machine.text,
                                     "--image",
                                     image.text,
                                     "--owner-key",
                                     key.text,
                                     "--reason",
                                     "the disk was put back by mistake",
                                     NULL};
    char *output = NULL, *rest;
    if (!demo_ok(&demo->story, demo_child_run(arguments, log.text, &output, &error), &error, "the restore"))
        return false;
    demo_fact(&demo->story,
              "cella vault restore ledger --owner-key ledger-owner.pem --image ledger.enclave ...");
    rest = output;
    for (const char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (*line != '\0')
            demo_quote(&demo->story, line);
    free(output);
    return true;
}

static bool tell_of_restore(struct demo *demo) {
    struct cella_error error = {.message = ""};
    enum cella_status status = demo_ledger_try(demo, 3, "audit", &error);
    return demo_expect(&demo->story, status, CELLA_VAULT_RESTORED, &error,
                       "branch-4, which the copy had served, is told once");
}

bool demo_ledger_restore(struct demo *demo) {
    struct cella_error error = {.message = ""};
    struct cella_client *client = NULL;
    demo_step(&demo->story, "The owner brings the newest state back, and everything goes on");
    if (!exchange_disk(demo, "stopped", "newest") || !demo_ledger_host_start(demo) ||
        !check_refused_start(demo, CELLA_VAULT_STALE) || !demo_ledger_host_end(demo, SIGTERM))
        return false;
    demo_fact(&demo->story, "since the copy has run, the newest folder needs the owner's word");
    if (!authorise(demo) || !demo_ledger_host_start(demo) || !tell_of_restore(demo) || !send_more(demo, 1))
        return false;
    enum cella_status status = demo_ledger_client(demo, 0, &client, &error);
    if (status == CELLA_OK)
        status = branch_check_receipt(client, &demo->ledger->progress[0].receipt, &error);
    cella_client_free(client);
    bool held = demo_ok(&demo->story, status, &error, "branch-1") &&
                demo_check(&demo->story, true,
                           "branch-1 has lost nothing; it goes on with entry %" PRIu64
                           ", and that receipt is in its statement",
                           demo->ledger->progress[0].receipt.number);
    held = held && demo_ledger_check_audits(demo) && demo_ledger_host_end(demo, SIGTERM);
    demo_end(&demo->story, "Only those whose keys were measured with the program can say that another state "
                           "counts, and whoever saw something else is told.");
    return held;
}
