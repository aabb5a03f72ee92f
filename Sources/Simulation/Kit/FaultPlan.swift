import RealModule
import Time

/// Something that goes wrong in the world, or that an operator does.
package enum Fault: Hashable, Sendable {
    case hang(service: String, kind: HangKind)
    case exit(service: String, zombieFor: Duration)
    case saturation(service: String, lasts: Duration)
    case collection(service: String, lasts: Duration)
    case crashLoop(service: String, lasts: Duration)
    case watchdogKilled
    case watchdogStopped
    case healthKilled
    case healthStopped
    case starvedHost(lasts: Duration)
    case fullDisk(lasts: Duration)
    case clockStep(ms: Int64)
    case databaseDown(lasts: Duration)
    case operatorStop(service: String, lasts: Duration)
    case operatorRestart(service: String)
    case operatorHold(service: String, lasts: Duration)
    case operatorReset(service: String)
    /// A client or an operator changes a configuration value: nothing wrong by itself, and not counted as a fault.
    case change(ChangeKind)
    /// configd dies within a step of a commit; `isPowerCut`: its files lose what was not yet durable.
    case configKilled(step: CommitStep, isPowerCut: Bool)
    case configStopped
    case metricsKilled
    case metricsStopped
    case collectorAils(String, CollectorAilment, lasts: Duration)

    /// How a service hangs.
    package enum HangKind: String, CaseIterable, Hashable, Sendable {
        case spinning
        case spinningBesideWorker
        case blocked
        case stopped
        case livelocked
        case failing
    }

    /// How a configuration value is changed.
    package enum ChangeKind: String, CaseIterable, Hashable, Sendable {
        case set
        /// With a version that is not the newest any more.
        case stale
        /// Past configd, with an editor.
        case byHand
        /// With one that truncates the file and writes it in three parts.
        case slowly
        /// With one that dies: part of the file is left, nothing, or zeros.
        case torn
        /// On trial, and as good as before; or one with which the service is slow, fails or spins.
        case trialGood
        case trialSlow
        case trialFailing
        case trialSpinning
    }

    /// What is wrong with a collector of metricsd's.
    package enum CollectorAilment: String, CaseIterable, Hashable, Sendable {
        case fails
        case hangs
    }

    /// Where in a commit configd dies.
    package enum CommitStep: String, CaseIterable, Hashable, Sendable {
        /// In none.
        case rest
        case recordIntent
        case writeTemporary
        case replaceFile
        case syncDirectory
        case concludeIntent
    }
}

/// Draws what goes wrong and when: for each kind a mean time between two, as of an exponential law.
struct FaultPlan {
    private var random: SeededRandom
    private let services: [String]

    init(services: [String], random: SeededRandom) {
        self.random = random
        self.services = services
    }

    /// The faults of a run, in order of their times.
    mutating func draw(from start: Instant, until end: Instant) -> [(at: Instant, fault: Fault)] {
        var plan: [(at: Instant, fault: Fault)] = []
        // Mean seconds between two of a kind: about 20 hangs or kills in 48 h, the rest around them.
        let kinds: [(mean: Double, make: (inout FaultPlan) -> Fault)] = [
            (11_000, { $0.hang() }),
            (20_000, { .exit(service: $0.service(), zombieFor: $0.chance(0.3) ? $0.seconds(0.2, 2) : .zero) }),
            (30_000, { .saturation(service: $0.service(), lasts: $0.seconds(30, 180)) }),
            (15_000, { .collection(service: $0.service(), lasts: $0.seconds(0.3, 1.9)) }),
            (80_000, { .crashLoop(service: $0.service(), lasts: $0.seconds(20, 400)) }),
            (30_000, { $0.daemonFault() }),
            (40_000, { .starvedHost(lasts: $0.seconds(5, 60)) }),
            (60_000, { .fullDisk(lasts: $0.seconds(60, 1200)) }),
            (60_000, { .clockStep(ms: Int64($0.signed(7_200_000))) }),
            (40_000, { .databaseDown(lasts: $0.seconds(20, 600)) }),
            (40_000, { .operatorStop(service: $0.service(), lasts: $0.seconds(10, 900)) }),
            (50_000, { .operatorRestart(service: $0.service()) }),
            (60_000, { .operatorHold(service: $0.service(), lasts: $0.seconds(30, 600)) }),
            (80_000, { .operatorReset(service: $0.service()) }),
            (600, { .change($0.chance(0.8) ? .set : $0.chance(0.5) ? .stale : .byHand) }),
            (10_000, { .configKilled(step: $0.one(of: Fault.CommitStep.allCases), isPowerCut: $0.chance(0.5)) }),
            (60_000, { _ in .configStopped }),
            (10_000, { _ in .metricsKilled }),
            (60_000, { _ in .metricsStopped }),
            (
                4_000,
                { .collectorAils($0.one(of: SimulatedMetrics.collectors), $0.ailment(), lasts: $0.seconds(1, 600)) }
            ),
            (4_000, { .change($0.one(of: [.slowly, .torn])) }),
            (2_500, { .change($0.one(of: [.trialGood, .trialGood, .trialSlow, .trialFailing, .trialSpinning])) }),
        ]
        for kind in kinds {
            var at = start
            while true {
                at = at + .seconds(exponential(kind.mean))
                guard at < end else { break }
                plan.append((at, kind.make(&self)))
            }
        }
        return plan.sorted { $0.at < $1.at }
    }

    private mutating func hang() -> Fault {
        .hang(service: service(), kind: one(of: Fault.HangKind.allCases))
    }

    private mutating func daemonFault() -> Fault {
        one(of: [.watchdogKilled, .watchdogStopped, .healthKilled, .healthStopped])
    }

    private mutating func ailment() -> Fault.CollectorAilment { one(of: Fault.CollectorAilment.allCases) }
    private mutating func service() -> String { one(of: services) }
    private mutating func one<Kind>(of kinds: [Kind]) -> Kind { kinds[Int.random(in: 0..<kinds.count, using: &random)] }
    private mutating func chance(_ share: Double) -> Bool { random.unit() < share }
    private mutating func signed(_ most: Double) -> Double { (random.unit() * 2 - 1) * most }

    private mutating func seconds(_ low: Double, _ high: Double) -> Duration {
        .milliseconds(Int64((low + random.unit() * (high - low)) * 1000))
    }

    /// The exponential law by inversion.
    private mutating func exponential(_ mean: Double) -> Double {
        -mean * Double.log(1 - random.unit())
    }
}
