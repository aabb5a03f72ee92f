import ConfigAPI
import ConfigEtcdAPI
import HealthAPI
import MetricsAPI
import Testing
import WatchdogAPI
import Wire

/// A message type behind its JSON: what the daemons' own code makes of an example.
struct Message: Sendable {
    /// Reads the example, writes it, reads what was written, and hands back what was written.
    var roundTrip: @Sendable (JSON, Fields.Unknown) throws -> JSON

    init<Object: WireObject>(_ type: Object.Type) {
        roundTrip = { json, unknown in
            let message = try Object(wire: json, unknown: unknown)
            let written = try JSONReader.read(JSONWriter.bytes(of: message))
            #expect(try Object(wire: written, unknown: .refused) == message, "reads its own bytes otherwise")
            return written
        }
    }
}

/// A method as the daemons know it.
struct Contract: Sendable {
    var name: String
    var access: Access
    var params: Message
    var reply: Message

    init<Method: RPCMethod>(_ method: Method.Type, named name: String = Method.name) {
        self.name = name
        access = Method.access
        params = Message(Method.Params.self)
        reply = Message(Method.Reply.self)
    }

    /// A fault for tests (Runtime), which takes and answers nothing.
    private enum Fault: RPCMethod {
        static let name = "fault"
        static let access = Access.act
        typealias Params = NoFields
        typealias Reply = NoFields
    }

    /// What all sockets answer.
    fileprivate static func common<Own: WireObject>(own: Own.Type) -> [Contract] {
        let faults = ["spinLoop", "spinCore", "deadlockCore", "blockStore"]
        return [
            Contract(Common.Discover.self), Contract(Common.Metrics.self), Contract(Common.Subscribe.self),
            Contract(Common.Status<Own>.self),
        ] + faults.map { Contract(Fault.self, named: "fault.\($0)") }
    }
}

/// The sockets: their methods, the data of their events, and their refusals with figures as an example has them.
enum Socket: String, CaseIterable, Sendable {
    case configd
    case metricsd
    case healthd
    case watchdogd
    case configdEtcd = "configd-etcd"

    var contracts: [Contract] {
        switch self {
        case .configd:
            Contract.common(own: ConfigStatus.self) + [
                Contract(Config.Get.self), Contract(Config.Show.self), Contract(Config.Set.self),
                Contract(Config.Validate.self), Contract(Config.History.self), Contract(Config.Rollback.self),
                Contract(Config.State.self), Contract(Config.UpdateConfig.self), Contract(Config.ValidateConfig.self),
                Contract(Config.Rollback.self, named: Config.rollbackConfigName), Contract(Config.Diff.self),
                Contract(Config.Put.self), Contract(Config.Stage.self), Contract(Config.Content.self),
                Contract(Config.Pending.self), Contract(Config.Activated.self), Contract(Config.Confirm.self),
                Contract(Config.Apply.self), Contract(Config.Tag.self), Contract(Config.Untag.self),
                Contract(Config.Tags.self),
                Contract(Config.Backup.self), Contract(Config.Records.self), Contract(Config.Verify.self),
                Contract(Config.BackupConfig.self), Contract(Config.RestoreConfig.self),
                Contract(Config.Quarantine.self), Contract(Config.Quarantined.self), Contract(Config.Adopt.self),
                Contract(Config.Discard.self),
                Contract(Config.Lint.self), Contract(Config.LintContent.self),
                Contract(Config.Cancel.self), Contract(Config.Leases.self), Contract(Config.Release.self),
                Contract(Config.Lock.self),
                Contract(Config.Lock.self, named: Config.withConfigLockName), Contract(Config.Unlock.self),
                Contract(Config.Flags.self), Contract(Config.SetFlags.self),
            ]
        case .metricsd:
            Contract.common(own: MetricsStatus.self) + [
                Contract(Query.self), Contract(QueryRange.self), Contract(QueryMetrics.self), Contract(ListSeries.self),
                Contract(Collect.self), Contract(Levels.self), Contract(PushMetrics.self),
                Contract(PersistMetrics.self), Contract(ImportSamples.self), Contract(ExportSamples.self),
                Contract(Exposed.self), Contract(VerifyStore.self), Contract(BackupStore.self),
            ]
        case .healthd:
            Contract.common(own: HealthdStatus.self) + [
                Contract(Health.self), Contract(CheckApplicationHealth.self), Contract(CheckDependencyHealth.self),
                Contract(Checks.self), Contract(RegisterHealthCheck.self), Contract(RemoveHealthCheck.self),
                Contract(ReportCheck.self), Contract(GetResourceUsage.self), Contract(Gate.self), Contract(Raise.self),
                Contract(Alerts.self),
            ]
        case .watchdogd:
            Contract.common(own: WatchdogStatus.self) + [
                Contract(Services.self), Contract(Service.self), Contract(Incidents.self), Contract(Incident.self),
                Contract(Hold.self), Contract(Release.self), Contract(Reset.self), Contract(RestartProcess.self),
                Contract(KillAndRestart.self), Contract(GracefulShutdown.self), Contract(ForceRestart.self),
                Contract(CheckProcessHealth.self), Contract(EscalateToOperator.self),
                Contract(RecordRecoveryEvent.self), Contract(Heartbeat.self),
            ]
        case .configdEtcd: Contract.common(own: EtcdStatus.self)
        }
    }

    /// The names that `subscribe` takes.
    var eventNames: [String] {
        switch self {
        case .configd: ConfigEvents.all
        case .metricsd: MetricsEvents.all
        case .healthd: HealthEvents.all
        case .watchdogd: WatchdogEvent.names
        case .configdEtcd: []
        }
    }

    /// The data of each event by its name.
    var events: [String: Message] {
        switch self {
        case .configd:
            Dictionary(uniqueKeysWithValues: ConfigEvents.all.map { ($0, Message(ConfigApplied.self)) })
                .merging(ConfigEvents.ofTrials.map { ($0, Message(ConfigPending.self)) }) { $1 }
                .merging(
                    [ConfigEvents.quarantined, ConfigEvents.discarded].map { ($0, Message(ConfigQuarantined.self)) }
                ) { $1 }
                .merging([ConfigEvents.invalid: Message(ConfigInvalid.self)]) { $1 }
                .merging([ConfigEvents.leased: Message(ConfigLeased.self)]) { $1 }
                .merging([ConfigEvents.locked, ConfigEvents.unlocked].map { ($0, Message(ConfigLock.self)) }) { $1 }
                .merging([ConfigEvents.flagChanged: Message(ConfigFlagChanged.self)]) { $1 }
        case .metricsd:
            [
                MetricsEvents.collectorFailed: Message(CollectorFailed.self),
                MetricsEvents.collectorRecovered: Message(CollectorRecovered.self),
                MetricsEvents.storeFailed: Message(StoreFailed.self),
                MetricsEvents.storeRecovered: Message(StoreRecovered.self),
                MetricsEvents.remoteFailed: Message(RemoteFailed.self),
                MetricsEvents.remoteRecovered: Message(RemoteRecovered.self),
                MetricsEvents.remoteRefused: Message(RemoteRefused.self),
                MetricsEvents.seriesRefused: Message(SeriesRefused.self),
                MetricsEvents.seriesRepeated: Message(SeriesRefused.self),
            ]
        case .healthd:
            [
                HealthEvents.checkChanged: Message(CheckChanged.self),
                HealthEvents.statusChanged: Message(StatusChanged.self),
                HealthEvents.alertRaised: Message(Alert.self),
                HealthEvents.alertResolved: Message(Alert.self),
            ]
        case .watchdogd:
            [
                "incidentOpened": Message(IncidentOpened.self), "evidenceCollected": Message(EvidenceCollected.self),
                "actionTaken": Message(ActionTaken.self), "validated": Message(Validated.self),
                "incidentClosed": Message(IncidentClosed.self), "held": Message(Held.self),
                "released": Message(Released.self), "refused": Message(Refused.self),
                "budgetReset": Message(BudgetReset.self), "limitWarned": Message(LimitWarned.self),
                "operatorCalled": Message(OperatorCalled.self), "recoveryRecorded": Message(RecoveryRecorded.self),
                "adopted": Message(Adopted.self), "operatorActed": Message(OperatorActed.self),
                "changeFollowed": Message(ChangeFollowed.self),
            ]
        case .configdEtcd: [:]
        }
    }
}
