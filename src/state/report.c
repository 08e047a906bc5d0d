/* A vault's report as bytes. Must not: interpret it. */
#include "state/report.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"

enum { FRESHNESS_KNOWN = 1, OUTDATED_KEYS = 2, RESTORED = 4, STOPPED = 8, FLAGS = 15 };

static void write_head(struct cella_writer *writer, const struct cella_head *head) {
    cella_write_u64(writer, head->epoch);
    cella_write_u64(writer, head->version);
    cella_write_bytes(writer, head->digest, sizeof head->digest);
}

static void read_head(struct cella_reader *reader, struct cella_head *ret_head) {
    ret_head->epoch = cella_read_u64(reader);
    ret_head->version = cella_read_u64(reader);
    cella_read_copy(reader, ret_head->digest, sizeof ret_head->digest);
}

void cella_vault_report_write(const struct cella_vault_report *report, uint8_t out[CELLA_VAULT_REPORT_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_VAULT_REPORT_SIZE);
    cella_write_bytes(&writer, report->vault_id, sizeof report->vault_id);
    cella_write_u64(&writer, report->lineage);
    write_head(&writer, &report->found);
    cella_write_bytes(&writer, report->found_root, sizeof report->found_root);
    write_head(&writer, &report->now);
    cella_write_u64(&writer, report->register_epoch);
    cella_write_u64(&writer, report->snapshot_version);
    cella_write_u64(&writer, report->records);
    cella_write_u64(&writer, report->dropped_records);
    cella_write_u64(&writer, report->torn_bytes);
    cella_write_u64(&writer, report->keys);
    cella_write_u64(&writer, report->state_size);
    cella_write_u64(&writer, report->evidence);
    cella_write_u64(&writer, (report->freshness_known ? FRESHNESS_KNOWN : 0u) |
                                 (report->outdated_keys ? OUTDATED_KEYS : 0u) |
                                 (report->restored ? RESTORED : 0u) | (report->stopped ? STOPPED : 0u));
    cella_write_u64(&writer, 0);
    CELLA_ASSERT(!writer.failed && writer.size == CELLA_VAULT_REPORT_SIZE);
}

enum cella_status cella_vault_report_parse(struct cella_bytes bytes, struct cella_vault_report *ret_report,
                                           struct cella_error *error) {
    struct cella_vault_report report = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    cella_read_copy(&reader, report.vault_id, sizeof report.vault_id);
    report.lineage = cella_read_u64(&reader);
    read_head(&reader, &report.found);
    cella_read_copy(&reader, report.found_root, sizeof report.found_root);
    read_head(&reader, &report.now);
    report.register_epoch = cella_read_u64(&reader);
    report.snapshot_version = cella_read_u64(&reader);
    report.records = cella_read_u64(&reader);
    report.dropped_records = cella_read_u64(&reader);
    report.torn_bytes = cella_read_u64(&reader);
    report.keys = cella_read_u64(&reader);
    report.state_size = cella_read_u64(&reader);
    report.evidence = cella_read_u64(&reader);
    uint64_t flags = cella_read_u64(&reader);
    cella_read_zeros(&reader, 8);
    if (!cella_reader_done(&reader) || flags > FLAGS)
        return cella_fail(error, CELLA_DAMAGED, "the vault's report is not well formed");
    report.freshness_known = (flags & FRESHNESS_KNOWN) != 0;
    report.outdated_keys = (flags & OUTDATED_KEYS) != 0;
    report.restored = (flags & RESTORED) != 0;
    report.stopped = (flags & STOPPED) != 0;
    *ret_report = report;
    return CELLA_OK;
}
