/* A branch's progress on its own disk: lines of text, replaced as a whole. Must not: leave half a file. */
#include "branch.h"
#include "branch_internal.h"
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PROGRESS_MAX = 4096 };

static const char first_line[] = "cella-ledger-progress 1";
static const char no_receipt[] = "receipt none";

enum cella_status branch_fail(struct cella_error *error, enum cella_status status, const char *format, ...) {
    if (error == NULL)
        return status;
    va_list arguments;
    va_start(arguments, format);
    error->status = status;
    (void)vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

static enum cella_status sync_folder_of(const char *path) {
    char copy[PATH_MAX];
    if (snprintf(copy, sizeof copy, "%s", path) >= (int)sizeof copy)
        return CELLA_IO;
    int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return CELLA_IO;
    bool kept = fsync(folder) == 0;
    (void)close(folder);
    return kept ? CELLA_OK : CELLA_IO;
}

static enum cella_status replace_file(const char *path, struct cella_bytes text, struct cella_error *error) {
    char next[PATH_MAX];
    if (snprintf(next, sizeof next, "%s.next", path) >= (int)sizeof next)
        return branch_fail(error, CELLA_ARGUMENT, "the path of the progress is too long");
    int file = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool kept = file >= 0 && write(file, text.data, text.size) == (ssize_t)text.size && fsync(file) == 0;
    if (file >= 0)
        (void)close(file);
    if (!kept || rename(next, path) != 0 || sync_folder_of(path) != CELLA_OK)
        return branch_fail(error, CELLA_IO, "%s cannot be written: %s", path, strerror(errno));
    return CELLA_OK;
}

enum cella_status branch_progress_write(const char *path, const struct branch_progress *progress,
                                        struct cella_error *error) {
    char text[PROGRESS_MAX];
    const struct branch_receipt *receipt = &progress->receipt;
    int size =
        snprintf(text, sizeof text, "%s\nfile %016llx\nbatch %llu\nanswered %llu\nopened %llu\ndone %llu\n",
                 first_line, (unsigned long long)progress->fingerprint, (unsigned long long)progress->batch,
                 (unsigned long long)progress->answered, (unsigned long long)progress->opened,
                 (unsigned long long)progress->done);
    for (int i = LEDGER_DONE + 1; i < LEDGER_REFUSALS; i++)
        size +=
            snprintf(text + size, sizeof text - (size_t)size, "%s %llu\n",
                     ledger_refusal_word((enum ledger_refusal)i), (unsigned long long)progress->refused[i]);
    size_t left = sizeof text - (size_t)size;
    if (progress->has_receipt)
        size +=
            snprintf(text + size, left, "receipt %llu %s %s %llu %llu\n", (unsigned long long)receipt->number,
                     receipt->instruction.account,
                     receipt->instruction.verb == LEDGER_TRANSFER ? receipt->instruction.to : ".",
                     (unsigned long long)receipt->instruction.amount, (unsigned long long)receipt->balance);
    else
        size += snprintf(text + size, left, "%s\n", no_receipt);
    return replace_file(path, CELLA_BYTES(text, (size_t)size), error);
}

/* Takes "WORD NUMBER". */
static bool take_number(struct cella_bytes text, size_t *position, const char *name, uint64_t *ret_number) {
    struct cella_bytes line, words[LEDGER_WORDS_MAX];
    return ledger_next_line(text, position, &line) && ledger_split(line, words) == 2 &&
           ledger_word_is(words[0], name) && ledger_parse_number(words[1], ret_number);
}

static bool take_fingerprint(struct cella_bytes text, size_t *position, uint64_t *ret_fingerprint) {
    struct cella_bytes line;
    char digits[17] = "", *rest = digits;
    if (!ledger_next_line(text, position, &line) || line.size != 21 || memcmp(line.data, "file ", 5) != 0 ||
        strspn((const char *)line.data + 5, "0123456789abcdef") != 16)
        return false;
    memcpy(digits, line.data + 5, 16);
    *ret_fingerprint = strtoull(digits, &rest, 16);
    return *rest == '\0';
}

static bool take_receipt(struct cella_bytes text, size_t *position, struct branch_progress *progress) {
    struct cella_bytes line, words[LEDGER_WORDS_MAX];
    struct branch_receipt *receipt = &progress->receipt;
    if (!ledger_next_line(text, position, &line))
        return false;
    if (ledger_word_is(line, no_receipt))
        return true;
    progress->has_receipt = ledger_split(line, words) == 6 && ledger_word_is(words[0], "receipt") &&
                            ledger_parse_number(words[1], &receipt->number) &&
                            ledger_parse_account(words[2], receipt->instruction.account) &&
                            ledger_parse_number(words[4], &receipt->instruction.amount) &&
                            ledger_parse_number(words[5], &receipt->balance);
    if (!progress->has_receipt)
        return false;
    receipt->instruction.verb = ledger_word_is(words[3], ".") ? LEDGER_ISSUE : LEDGER_TRANSFER;
    return receipt->instruction.verb == LEDGER_ISSUE ||
           ledger_parse_account(words[3], receipt->instruction.to);
}

static bool parse(struct cella_bytes text, struct branch_progress *progress) {
    struct cella_bytes line;
    size_t position = 0;
    bool valid = text.size > 0 && text.data[text.size - 1] == '\n' &&
                 ledger_next_line(text, &position, &line) && ledger_word_is(line, first_line) &&
                 take_fingerprint(text, &position, &progress->fingerprint) &&
                 take_number(text, &position, "batch", &progress->batch) && progress->batch > 0 &&
                 progress->batch <= LEDGER_INSTRUCTIONS_MAX &&
                 take_number(text, &position, "answered", &progress->answered) &&
                 take_number(text, &position, "opened", &progress->opened) &&
                 take_number(text, &position, "done", &progress->done);
    for (int i = LEDGER_DONE + 1; valid && i < LEDGER_REFUSALS; i++)
        valid =
            take_number(text, &position, ledger_refusal_word((enum ledger_refusal)i), &progress->refused[i]);
    return valid && take_receipt(text, &position, progress) && position == text.size;
}

enum cella_status branch_progress_read(const char *path, struct branch_progress *ret_progress,
                                       struct cella_error *error) {
    struct branch_progress progress = {.answered = 0};
    uint8_t text[PROGRESS_MAX + 1];
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return branch_fail(error, errno == ENOENT ? CELLA_NOT_FOUND : CELLA_IO, "%s cannot be read: %s", path,
                           strerror(errno));
    size_t size = fread(text, 1, PROGRESS_MAX, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    text[size] = '\0';
    if (failed)
        return branch_fail(error, CELLA_IO, "%s cannot be read", path);
    if (!parse(CELLA_BYTES(text, size), &progress))
        return branch_fail(error, CELLA_DAMAGED, "%s is not the progress of a branch", path);
    *ret_progress = progress;
    return CELLA_OK;
}
