/// One statement, and what becomes of its rows: each column that is a number is a series, named PREFIX_COLUMN, with the row's other
/// columns that are named here as labels.
struct PostgresQuery {
    var prefix: String
    var labels: [String] = []
    /// What its metrics' names end with.
    var suffix = ""
    /// The server's versions that it is for, as 150018 for 15.18.
    var versions: Range<Int> = 0..<Int.max
    var statement: String

    /// Rows that a statement may bring: a server of a thousand databases must not fill the store.
    private static let most = "LIMIT 500"

    /// What is asked each round. The names are postgres_exporter's (v0.11); the statements are read by any role that has
    /// `pg_monitor`, and by others as far as the server lets them.
    static let often: [PostgresQuery] = [
        server, settings, start, activity, databases, conflicts, locks, lag, replicas, slots, archiver, writer,
        checkpointer,
    ]

    /// What is asked more seldom: the server walks through the files of each database.
    static let sizes = PostgresQuery(
        prefix: "pg_database", labels: ["datname"],
        statement: """
            SELECT datname, pg_database_size(oid) AS size_bytes FROM pg_database
            WHERE has_database_privilege(oid, 'CONNECT') OR pg_has_role(current_user, 'pg_read_all_stats', 'MEMBER')
            ORDER BY datname \(most)
            """)

    private static let server = PostgresQuery(
        prefix: "pg", labels: ["version", "short_version"],
        statement: """
            SELECT version() AS version, split_part(current_setting('server_version'), ' ', 1) || '.0' AS short_version,
                1 AS static
            """)

    private static let settings = PostgresQuery(
        prefix: "pg_settings",
        statement: "SELECT "
            + [
                "max_connections", "superuser_reserved_connections", "max_locks_per_transaction",
                "max_prepared_transactions", "max_wal_senders", "max_replication_slots", "max_worker_processes",
                "autovacuum_max_workers",
            ].map { "current_setting('\($0)') AS \($0)" }.joined(separator: ", ") + ", "
            + ["shared_buffers", "effective_cache_size", "work_mem", "maintenance_work_mem", "max_wal_size"]
            .map { "pg_size_bytes(current_setting('\($0)')) AS \($0)_bytes" }.joined(separator: ", "))

    private static let start = PostgresQuery(
        prefix: "pg_postmaster",
        statement: "SELECT extract(epoch FROM pg_postmaster_start_time()) AS start_time_seconds")

    /// A state that no connection is in is a series of zero, as the exporter has it.
    private static let activity = PostgresQuery(
        prefix: "pg_stat_activity", labels: ["datname", "state"],
        statement: """
            WITH known(state) AS (VALUES ('active'), ('idle'), ('idle in transaction'),
                ('idle in transaction (aborted)'), ('fastpath function call'), ('disabled'))
            SELECT d.datname, k.state, count(a.pid) AS count,
                coalesce(max(extract(epoch FROM now() - a.xact_start)), 0) AS max_tx_duration
            FROM pg_database d CROSS JOIN known k
            LEFT JOIN pg_stat_activity a ON a.datname = d.datname AND a.state = k.state
            GROUP BY d.datname, k.state ORDER BY d.datname, k.state \(most)
            """)

    private static let databases = PostgresQuery(
        prefix: "pg_stat_database", labels: ["datid", "datname"],
        statement: """
            SELECT *, extract(epoch FROM stats_reset) AS stats_reset FROM pg_stat_database ORDER BY datid \(most)
            """)

    private static let conflicts = PostgresQuery(
        prefix: "pg_stat_database_conflicts", labels: ["datid", "datname"],
        statement: "SELECT * FROM pg_stat_database_conflicts ORDER BY datid \(most)")

    private static let locks = PostgresQuery(
        prefix: "pg_locks", labels: ["datname", "mode"],
        statement: """
            WITH known(mode) AS (VALUES ('AccessShareLock'), ('RowShareLock'), ('RowExclusiveLock'),
                ('ShareUpdateExclusiveLock'), ('ShareLock'), ('ShareRowExclusiveLock'), ('ExclusiveLock'),
                ('AccessExclusiveLock'), ('SIReadLock'))
            SELECT d.datname, lower(k.mode) AS mode, count(l.mode) AS count
            FROM pg_database d CROSS JOIN known k LEFT JOIN pg_locks l ON l.database = d.oid AND l.mode = k.mode
            GROUP BY d.datname, k.mode ORDER BY d.datname, k.mode \(most)
            """)

    /// Of a replica that has replayed all that came: no lag, however long ago that was.
    private static let lag = PostgresQuery(
        prefix: "pg_replication",
        statement: """
            SELECT lag, lag AS lag_seconds, pg_is_in_recovery() AS is_replica FROM (SELECT CASE
                WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
                ELSE greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) END AS lag) AS found
            """)

    private static let position =
        "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"

    private static let replicas = PostgresQuery(
        prefix: "pg_stat_replication", labels: ["application_name", "client_addr", "state"],
        statement: """
            SELECT application_name, host(client_addr) AS client_addr, state,
                pg_wal_lsn_diff(\(position), '0/0') AS pg_current_wal_lsn_bytes,
                pg_wal_lsn_diff(\(position), replay_lsn) AS pg_wal_lsn_diff
            FROM pg_stat_replication ORDER BY application_name, client_addr, state, pid \(most)
            """)

    private static let slots = PostgresQuery(
        prefix: "pg_replication_slots", labels: ["slot_name", "database"],
        statement: """
            SELECT slot_name, database, active, pg_wal_lsn_diff(\(position), restart_lsn) AS pg_wal_lsn_diff
            FROM pg_replication_slots ORDER BY slot_name \(most)
            """)

    private static let archiver = PostgresQuery(
        prefix: "pg_stat_archiver",
        statement: """
            SELECT archived_count, failed_count, extract(epoch FROM now() - last_archived_time) AS last_archive_age
            FROM pg_stat_archiver
            """)

    private static let writer = PostgresQuery(
        prefix: "pg_stat_bgwriter", suffix: "_total",
        statement: "SELECT *, extract(epoch FROM stats_reset) AS stats_reset FROM pg_stat_bgwriter")

    private static let checkpointer = PostgresQuery(
        prefix: "pg_stat_checkpointer", suffix: "_total", versions: 170_000..<Int.max,
        statement: "SELECT *, extract(epoch FROM stats_reset) AS stats_reset FROM pg_stat_checkpointer")
}
