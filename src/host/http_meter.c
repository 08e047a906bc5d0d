/* Counters of the HTTP server and their Prometheus text. Must not: slow a request by more than a few
 * additions. */
#include "host/http_internal.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct cella_http_meter *find(struct cella_http *http, const struct cella_host_enclave *enclave) {
    unsigned count = atomic_load_explicit(&http->meter_count, memory_order_acquire);
    for (unsigned i = 0; i < count; i++)
        if (http->meters[i]->enclave == enclave)
            return http->meters[i];
    return NULL;
}

struct cella_http_meter *cella_http_meter(struct cella_http *http, struct cella_host_enclave *enclave) {
    struct cella_http_meter *meter = find(http, enclave);
    if (meter != NULL)
        return meter;
    pthread_mutex_lock(&http->lock);
    meter = find(http, enclave);
    unsigned count = atomic_load(&http->meter_count);
    if (meter == NULL && count < CELLA_HTTP_METERS) {
        meter = calloc(1, sizeof *meter);
        if (meter != NULL) {
            meter->enclave = enclave;
            http->meters[count] = meter;
            atomic_store_explicit(&http->meter_count, count + 1, memory_order_release);
        }
    }
    pthread_mutex_unlock(&http->lock);
    return meter;
}

static unsigned bucket_of(uint64_t ns) {
    unsigned bucket = 0;
    while (bucket < CELLA_HTTP_BUCKET_COUNT - 1 && ns > (UINT64_C(32000) << bucket))
        bucket++;
    return bucket;
}

void cella_http_meter_mail(struct cella_http_request *request, enum cella_status status, size_t bytes_out) {
    struct cella_http_meter *meter = cella_http_meter(request->http, request->enclave);
    if (meter == NULL)
        return;
    uint64_t ns = (uint64_t)(cella_http_ticks_ns() - request->began_ns);
    unsigned index = (unsigned)status < CELLA_HTTP_STATUS_COUNT ? (unsigned)status : CELLA_INTERNAL;
    atomic_fetch_add_explicit(&meter->by_status[index], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->bytes_out, bytes_out, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->duration_ns, ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&meter->buckets[bucket_of(ns)], 1, memory_order_relaxed);
}

uint64_t cella_http_resident_of(const struct cella_host_enclave_state *state) {
    return cella_http_resident_bytes(state->process_id) +
           cella_http_resident_bytes(state->instance_process_id);
}

uint64_t cella_http_resident_bytes(int process_id) {
    if (process_id == 0)
        return 0;
    char path[64], line[128];
    snprintf(path, sizeof path, "/proc/%d/statm", process_id);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    uint64_t pages = 0;
    if (fgets(line, sizeof line, file) != NULL) {
        char *second = NULL;
        strtoull(line, &second, 10);
        pages = strtoull(second, NULL, 10);
    }
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

struct page {
    FILE *out;
    struct cella_http *http;
    struct cella_host_enclave_state states[CELLA_HTTP_METERS];
    struct cella_host_enclave *enclaves[CELLA_HTTP_METERS];
    size_t count;
};

static void collect(void *context, struct cella_host_enclave *enclave) {
    struct page *page = context;
    if (page->count >= CELLA_HTTP_METERS)
        return;
    page->enclaves[page->count] = enclave;
    cella_host_enclave_state(enclave, &page->states[page->count++]);
}

static void family(struct page *page, const char *name, const char *type, const char *help) {
    fprintf(page->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* One line per enclave; `value` is evaluated with `state` as the enclave's state. */
#define PER_ENCLAVE(metric, kind, help, value)                                                               \
    do {                                                                                                     \
        family(page, metric, kind, help);                                                                    \
        for (size_t i = 0; i < page->count; i++) {                                                           \
            const struct cella_host_enclave_state *state = &page->states[i];                                 \
            fprintf(page->out, "%s{enclave=\"%s\"} %llu\n", metric, state->name,                             \
                    (unsigned long long)(value));                                                            \
        }                                                                                                    \
    } while (0)

static void show_states(struct page *page) {
    PER_ENCLAVE("cella_enclave_up", "gauge", "1 while an instance runs.", state->phase == CELLA_HOST_RUNNING);
    PER_ENCLAVE("cella_enclave_starts_total", "counter", "Instances started.", state->starts);
    PER_ENCLAVE("cella_enclave_ends_total", "counter", "Instances ended.", state->ends);
    PER_ENCLAVE("cella_enclave_resident_bytes", "gauge", "Memory of the keeper and the instance.",
                cella_http_resident_of(state));
    PER_ENCLAVE("cella_mails_total", "counter", "Mails handed to the enclave.", state->mails);
    PER_ENCLAVE("cella_mail_received_bytes_total", "counter", "Bytes of those mails.", state->mail_bytes);
    PER_ENCLAVE("cella_calls_total", "counter", "Calls by the operator.", state->calls);
    PER_ENCLAVE("cella_attestations_total", "counter", "Attestations handed out.", state->attestations);
    PER_ENCLAVE("cella_posts_total", "counter", "Posts made by the enclave.", state->posts);
    PER_ENCLAVE("cella_posts_delivered_total", "counter", "Posts that their client has confirmed.",
                state->posts_delivered);
    PER_ENCLAVE("cella_posts_dropped_total", "counter", "Posts lost to a limit of the queues.",
                state->posts_dropped);
    PER_ENCLAVE("cella_post_queue_mails", "gauge", "Posts that wait.", state->queue_mails);
    PER_ENCLAVE("cella_post_queue_bytes", "gauge", "Bytes of posts that wait.", state->queue_bytes);
    PER_ENCLAVE("cella_post_queue_routes", "gauge", "Routes with posts or polls that wait.",
                state->queue_routes);
    PER_ENCLAVE("cella_polls_waiting", "gauge", "Polls that wait.", state->polls);
}

static void show_vaults(struct page *page) {
    PER_ENCLAVE("cella_vault_epoch", "gauge", "Number of the vault's ownership; 0 without a vault.",
                state->vault.epoch);
    PER_ENCLAVE("cella_vault_version", "gauge", "The vault's newest record.", state->vault.version);
    PER_ENCLAVE("cella_vault_storage_failing", "gauge", "1 while the disk under the vault cannot be written.",
                state->vault.storage != CELLA_OK);
    PER_ENCLAVE("cella_vault_evidence", "gauge", "Proofs of a fork that the newest instance left.",
                state->vault.evidence);
    PER_ENCLAVE("cella_vault_written_bytes", "gauge", "Bytes that the newest instance wrote.",
                state->vault.written_bytes);
    PER_ENCLAVE("cella_vault_flushes", "gauge", "Flushes by the newest instance.", state->vault.flushes);
    PER_ENCLAVE("cella_vault_write_failures", "gauge", "Writes of the newest instance that failed.",
                state->vault.write_failures);
    PER_ENCLAVE("cella_vault_queued_bytes", "gauge", "Bytes that wait for the disk.",
                state->vault.queued_bytes);
}

static void show_answers(struct page *page) {
    family(page, "cella_mail_answers_total", "counter", "Answers to mail, by status word.");
    for (size_t i = 0; i < page->count; i++) {
        const struct cella_http_meter *meter = find(page->http, page->enclaves[i]);
        for (unsigned status = 0; meter != NULL && status < CELLA_HTTP_STATUS_COUNT; status++) {
            uint64_t value = atomic_load_explicit(&meter->by_status[status], memory_order_relaxed);
            if (value > 0)
                fprintf(page->out, "cella_mail_answers_total{enclave=\"%s\",status=\"%s\"} %llu\n",
                        page->states[i].name, cella_status_name((enum cella_status)status),
                        (unsigned long long)value);
        }
    }
    family(page, "cella_mail_sent_bytes_total", "counter", "Bytes of replies.");
    for (size_t i = 0; i < page->count; i++) {
        const struct cella_http_meter *meter = find(page->http, page->enclaves[i]);
        fprintf(page->out, "cella_mail_sent_bytes_total{enclave=\"%s\"} %llu\n", page->states[i].name,
                meter == NULL ? 0 : (unsigned long long)atomic_load(&meter->bytes_out));
    }
}

static void show_durations(struct page *page) {
    const char *name = "cella_mail_duration_seconds";
    family(page, name, "histogram", "From a mail's first line to its reply.");
    for (size_t i = 0; i < page->count; i++) {
        const struct cella_http_meter *meter = find(page->http, page->enclaves[i]);
        if (meter == NULL)
            continue;
        uint64_t sum = 0;
        for (unsigned bucket = 0; bucket < CELLA_HTTP_BUCKET_COUNT - 1; bucket++) {
            sum += atomic_load_explicit(&meter->buckets[bucket], memory_order_relaxed);
            fprintf(page->out, "%s_bucket{enclave=\"%s\",le=\"%.6f\"} %llu\n", name, page->states[i].name,
                    (double)(UINT64_C(32) << bucket) / 1e6, (unsigned long long)sum);
        }
        sum += atomic_load_explicit(&meter->buckets[CELLA_HTTP_BUCKET_COUNT - 1], memory_order_relaxed);
        fprintf(page->out, "%s_bucket{enclave=\"%s\",le=\"+Inf\"} %llu\n", name, page->states[i].name,
                (unsigned long long)sum);
        fprintf(page->out, "%s_sum{enclave=\"%s\"} %.9f\n", name, page->states[i].name,
                (double)atomic_load(&meter->duration_ns) / 1e9);
        fprintf(page->out, "%s_count{enclave=\"%s\"} %llu\n", name, page->states[i].name,
                (unsigned long long)sum);
    }
}

static void show_host(struct page *page) {
    struct cella_http *http = page->http;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS);
    family(page, "cella_host_resident_bytes", "gauge", "Memory of the host's process.");
    fprintf(page->out, "cella_host_resident_bytes %llu\n",
            (unsigned long long)cella_http_resident_bytes(getpid()));
    family(page, "cella_host_start_time_seconds", "gauge", "Unix time of the host's start.");
    fprintf(page->out, "cella_host_start_time_seconds %lld\n", (long long)http->started_at);
    family(page, "cella_http_requests_total", "counter", "Requests of any kind.");
    fprintf(page->out, "cella_http_requests_total %llu\n",
            (unsigned long long)atomic_load(&http->request_count));
    family(page, "cella_http_refused_total", "counter", "Requests that were answered with an error.");
    fprintf(page->out, "cella_http_refused_total %llu\n",
            (unsigned long long)atomic_load(&http->refused_requests));
    family(page, "cella_http_connections", "gauge", "Open connections.");
    fprintf(page->out, "cella_http_connections %u\n", info == NULL ? 0 : info->num_connections);
    family(page, "cella_http_waiting_requests", "gauge", "Requests that wait for an enclave.");
    fprintf(page->out, "cella_http_waiting_requests %u\n", atomic_load(&http->open_requests));
    family(page, "cella_http_body_bytes", "gauge", "Memory of request bodies.");
    fprintf(page->out, "cella_http_body_bytes %zu\n", atomic_load(&http->body_bytes));
}

enum MHD_Result cella_http_show_metrics(struct cella_http_request *request) {
    char *text = NULL;
    size_t size = 0;
    struct page *page = calloc(1, sizeof *page);
    FILE *out = page == NULL ? NULL : open_memstream(&text, &size);
    if (out == NULL) {
        free(page);
        return MHD_NO;
    }
    page->out = out;
    page->http = request->http;
    cella_host_each(request->http->host, collect, page);
    show_host(page);
    show_states(page);
    show_vaults(page);
    show_answers(page);
    show_durations(page);
    bool good = fclose(out) == 0;
    free(page);
    if (!good) {
        free(text);
        return MHD_NO;
    }
    return cella_http_answer_text(request, MHD_HTTP_OK, "text/plain; version=0.0.4", text, size);
}
