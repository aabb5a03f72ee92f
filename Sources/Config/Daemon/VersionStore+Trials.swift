import ConfigCore
import Store
import Wire

/// Changes on trial in the ledger: one row a service at most.
extension VersionStore {
    /// All of them. A row that cannot be read is damage.
    func trials() throws(StoreError) -> [Trial] {
        var trials: [Trial] = []
        try statement("SELECT document FROM trial ORDER BY id").rows { row in
            if let json = try? JSONReader.read(Array(row.text(0).utf8)), let trial = try? Trial(wire: json) {
                trials.append(trial)
            } else {
                hasDamage = true
            }
        }
        return trials
    }

    /// A number that no trial ever had.
    func freeTrial() throws(StoreError) -> Int64 {
        var last: Int64 = 0
        try statement("SELECT seq FROM sqlite_sequence WHERE name = 'trial'").rows { row in last = row.integer(0) }
        return last + 1
    }

    /// Writes the row, in place of the service's one before.
    func keep(_ trial: Trial) throws(StoreError) {
        let row = try statement("INSERT OR REPLACE INTO trial (id, service, document) VALUES (?, ?, ?)")
        row.bind(trial.id, at: 1)
        row.bind(trial.service, at: 2)
        row.bind(JSONWriter.text(of: trial), at: 3)
        try row.run()
    }

    func forget(_ trial: Trial) throws(StoreError) {
        let row = try statement("DELETE FROM trial WHERE id = ?")
        row.bind(trial.id, at: 1)
        try row.run()
    }

    /// Notes that a version was confirmed: retention keeps the newest such.
    func markGood(_ version: Int64, of path: String) throws(StoreError) {
        let row = try statement(
            "UPDATE version SET isGood = 1 WHERE file = (SELECT id FROM file WHERE path = ?) AND number = ?")
        row.bind(path, at: 1)
        row.bind(version, at: 2)
        try row.run()
    }
}
