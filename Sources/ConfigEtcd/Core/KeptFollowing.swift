package import ConfigEtcdAPI
package import Wire

/// What is kept of a followed service over restarts, on this host and not in etcd: with etcd lost or set back, this host still
/// knows which keys are etcd's.
package struct KeptFollowing: WireObject {
    package var service: String
    /// The cluster whose revisions these are.
    package var cluster: String
    /// Every revision up to this one has its verdict.
    package var decided: Int64
    /// The keys that etcd set and that are in the files: it may remove these and no others. Sorted.
    package var owned: [FileKey]
    /// The revisions whose refusals stand under the status key, in ascending order.
    package var refused: [Int64]
    package var status: EtcdServiceStatus
    /// A change that is about to be made, or is on trial: a restart must know which keys it made etcd's, and must not make it a
    /// second time after it went back.
    package var intent: Intent?

    /// A change as it will be found in configd's history.
    package struct Intent: WireObject {
        package var reason: String
        package var file: String
        /// It is none of the file's versions up to this one: another cluster may have had a revision of the same number.
        package var after: Int64
        package var through: Int64
        package var count: Int
        package var keys: [String]
        /// What `owned` will be where it stays.
        package var owned: [FileKey]

        package init(
            reason: String, file: String, after: Int64, through: Int64, count: Int, keys: [String], owned: [FileKey]
        ) {
            self.reason = reason
            self.file = file
            self.after = after
            self.through = through
            self.count = count
            self.keys = keys
            self.owned = owned
        }

        package init(from fields: inout Fields) throws(WireError) {
            reason = try fields.value("reason")
            file = try fields.value("file")
            after = try fields.value("after")
            through = try fields.value("through")
            count = try fields.value("count")
            keys = try fields.value("keys")
            owned = try fields.value("owned")
        }

        package func write(to object: inout ObjectWriter) {
            object.member("reason", reason)
            object.member("file", file)
            object.member("after", after)
            object.member("through", through)
            object.member("count", count)
            object.member("keys", keys)
            object.member("owned", owned)
        }
    }

    package init(
        service: String, cluster: String, decided: Int64, owned: [FileKey], refused: [Int64],
        status: EtcdServiceStatus, intent: Intent? = nil
    ) {
        self.service = service
        self.cluster = cluster
        self.decided = decided
        self.owned = owned
        self.refused = refused
        self.status = status
        self.intent = intent
    }

    package init(from fields: inout Fields) throws(WireError) {
        service = try fields.value("service")
        cluster = try fields.value("cluster")
        decided = try fields.value("decided")
        owned = try fields.value("owned")
        refused = try fields.value("refused")
        status = try fields.value("status")
        intent = try fields.optional("intent")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("service", service)
        object.member("cluster", cluster)
        object.member("decided", decided)
        object.member("owned", owned)
        object.member("refused", refused)
        object.member("status", status)
        object.member("intent", intent)
    }
}

extension FileKey: WireObject {
    package init(from fields: inout Fields) throws(WireError) {
        file = try fields.value("file")
        key = try fields.value("key")
    }

    package func write(to object: inout ObjectWriter) {
        object.member("file", file)
        object.member("key", key)
    }
}
