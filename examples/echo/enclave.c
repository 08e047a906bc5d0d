/* The smallest useful enclave: whoever sends mail gets it back. */
#include <cella/enclave.h>

static enum cella_status on_mail(struct cella_transaction *transaction, const struct cella_mail *mail) {
    return cella_reply(transaction, mail->body);
}

int main(void) {
    static const struct cella_enclave echo = {.mail = on_mail, .thread_safe = true};
    return cella_enclave_run(&echo);
}
