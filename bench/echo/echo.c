/* The enclave of the benchmarks: replies with what it was sent. Keeps nothing. */
#include <cella/enclave.h>

static enum cella_status echo(struct cella_transaction *transaction, const struct cella_mail *mail) {
    return cella_reply(transaction, mail->body);
}

int main(void) {
    static const struct cella_enclave enclave = {.mail = echo, .thread_safe = true};
    return cella_enclave_run(&enclave);
}
