/* What a failure on the way to the enclave means, and what helps against it. All of it is the host's word.
 * Must not: take a word that may be a lie for the end of a doubt. */
#include "client/client_internal.h"

#define FIRST_PAUSE_MS 50U
#define LAST_PAUSE_MS  2000U

bool cella_client_means_not_done(enum cella_status status) {
    switch (status) {
    case CELLA_UNAVAILABLE:
    case CELLA_CLOSED:
    case CELLA_CRASHED:
    case CELLA_DOOR_BROKEN:
    case CELLA_KEEPER:
    case CELLA_INTERRUPTED:
    case CELLA_INTERNAL:
    case CELLA_HTTP_ANSWER:
    case CELLA_LIMIT:
    case CELLA_NO_MEMORY:
    case CELLA_MAIL_BUSY:
    case CELLA_MAIL_REPLAY:
    case CELLA_MAIL_REPLY_GONE:
    case CELLA_MAIL_UNKNOWN_HISTORY:
    case CELLA_COMMIT_PENDING:
    case CELLA_FENCED:
    case CELLA_VAULT_STOPPED:
    case CELLA_VAULT_FORK:
        return false;
    default:
        return true;
    }
}

enum cella_client_course cella_client_course_after(enum cella_status status) {
    switch (status) {
    case CELLA_UNAVAILABLE:
    case CELLA_CLOSED:
    case CELLA_CRASHED:
    case CELLA_NOT_STARTED:
    case CELLA_NOT_RUNNING:
    case CELLA_HOST_UNREACHABLE:
    case CELLA_INTERRUPTED:
    case CELLA_HTTP_BUSY:
    case CELLA_MAIL_BUSY:
    case CELLA_MAIL_REPLAY:
    case CELLA_COMMIT_PENDING:
    case CELLA_FENCED:
    case CELLA_STORAGE_FULL:
    case CELLA_STORAGE_READ_ONLY:
    case CELLA_STORAGE_IO:
        return CELLA_COURSE_AGAIN;
    case CELLA_MAIL_SESSION_UNKNOWN:
    case CELLA_MAIL_REFUSED:
    case CELLA_MAIL_GENERATION:
    case CELLA_MAIL_FIRST:
    case CELLA_MAIL_GAP:
        return CELLA_COURSE_ATTEST;
    case CELLA_MAIL_ATTEMPTS_USED:
        return CELLA_COURSE_HELLO;
    case CELLA_MAIL_NAME_USED:
        return CELLA_COURSE_GO_ON;
    default:
        return CELLA_COURSE_END;
    }
}

void cella_client_pause(struct cella_client *client, unsigned pauses) {
    unsigned ms = FIRST_PAUSE_MS << (pauses < 8 ? pauses : 8);
    client->pause(client->time_context, ms > LAST_PAUSE_MS ? LAST_PAUSE_MS : ms);
}
