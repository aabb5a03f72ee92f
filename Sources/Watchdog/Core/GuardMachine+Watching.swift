import Time
import WatchdogAPI

// Seeing: probes, counters, limits, and what is concluded from them.
extension GuardMachine {
    /// A process that is not yet proven is asked this often: its first good answer is what everybody waits for.
    private static let eagerInterval: Duration = .milliseconds(250)
    /// From the first sight of state T to the second.
    static let stopConfirmation: Duration = .milliseconds(200)
    /// The least that is waited for an answer after a hold.
    private static let secondThoughts: Duration = .seconds(5)
    /// How long a served request counts as a sign of service.
    private static let servedCounts: Duration = .seconds(10)

    /// T of ProgressWindow's sum; doubled while the host is starved.
    var probeTimeout: Duration { starvation == nil ? settings.probeTimeout : settings.probeTimeout * 2 }

    /// W of ProgressWindow's sum.
    var secondWindow: Duration {
        let half = min(max(settings.probeInterval / 2, .milliseconds(500)), .seconds(2))
        return starvation == nil ? half : half * 2
    }

    /// All windows after the first.
    private var restWindows: Duration { secondWindow * max(1, settings.progressWindows - 1) }

    private var probeInterval: Duration {
        switch state {
        case .validating, .warming: min(settings.probeInterval, Self.eagerInterval)
        case .adopting, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath, .backingOff,
            .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .halfOpen, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            settings.probeInterval
        }
    }

    // MARK: Probes

    mutating func probeDue(now: Moment) {
        guard state.probes, let process else { return }
        set(.probe, after: probeInterval, now: now)
        sampleProgress(of: process)
        guard settings.hasProbe else { return noProbe(now: now) }
        if let current = probes.current {
            guard now.instant - current.sent.instant >= probeTimeout else { return }
            probeTimedOut(now: now)
            guard state.probes, self.process == process else { return }
        }
        let id = probes.send(at: now)
        emit(.startProbe(id))
        set(.deadline, after: probeTimeout, now: now)
    }

    /// Without a probe a process that is there is all that can be asked for.
    private mutating func noProbe(now: Moment) {
        switch state {
        case .warming: enter(.watching, now: now)
        case .validating where now.instant - validationBegan >= .seconds(2): validated(firstGood: now, now: now)
        case .validating, .adopting, .watching, .suspecting, .confirming, .saturated, .waitingForHost, .judgingDeath,
            .backingOff, .waitingForTurn, .collectingEvidence, .draining, .terminating, .killing, .starting, .halfOpen,
            .held, .operatorActing, .operatorStopped, .hostStopping:
            break
        }
    }

    mutating func probeTimedOut(now: Moment) {
        cancel(.deadline)
        guard let probe = probes.current else { return }
        if let given = probes.currentTimedOut() {
            emit(.abandonProbe(given))
        } else {
            let waited = now.instant - probe.sent.instant
            set(.patience, after: max(settings.lateAnswer - waited, .zero), now: now)
        }
        if unansweredSince == nil {
            unansweredSince = probe.sent.instant
            let waited = now.instant - probe.sent.instant
            set(.despair, after: max(settings.livelockedAfter - waited, .zero), now: now)
        }
        suspect(now: now)
        evaluate(now: now)
    }

    /// The last sign was bad: figures are gathered from now on. While a process is young this is no sign.
    private mutating func suspect(now: Moment) {
        switch state {
        case .watching:
            progress.troubleBegan()
            enter(.suspecting, now: now)
        case .suspecting: break
        case .adopting, .warming, .confirming, .saturated, .waitingForHost, .judgingDeath, .backingOff, .waitingForTurn,
            .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            return
        }
        if let process { sampleProgress(of: process) }
        if !isPending(.look) { set(.look, after: secondWindow / 2, now: now) }
    }

    mutating func lookDue(now: Moment) {
        guard state.looksClosely, let process else { return }
        sampleProgress(of: process)
        set(.look, after: secondWindow / 2, now: now)
    }

    mutating func probeFinished(_ id: ProbeID, _ result: ProbeResult, now: Moment) {
        let end = probes.finished(id, result, timeout: probeTimeout, at: now)
        if probes.current == nil { cancel(.deadline) }
        if probes.late == nil { cancel(.patience) }
        switch end {
        case .good: answeredWell(now: now)
        case .wrong:
            suspect(now: now)
            evaluate(now: now)
        case .late: answeredLate(now: now)
        case .void: break
        }
    }

    private mutating func answeredWell(now: Moment) {
        let isNew = provenProcess != process
        let worth = progress.worth
        lastGood = now
        provenProcess = process
        progress.served()
        silenceEnded()
        switch state {
        case .warming, .watching, .suspecting, .confirming: cameBack(now: now)
        case .saturated, .waitingForHost, .backingOff, .waitingForTurn, .halfOpen:
            if let plan = state.waitingPlan, plan.isAsked || plan.why == .overLimit { break }
            if probes.goodInRow >= settings.goodProbesToValidate { cameBack(now: now) }
        case .validating:
            if probes.goodInRow >= settings.goodProbesToValidate, let first = probes.firstGood {
                validated(firstGood: first, now: now)
            }
        case .held, .adopting, .judgingDeath, .collectingEvidence, .draining, .terminating, .killing, .starting,
            .operatorActing, .operatorStopped, .hostStopping:
            break
        }
        budget.settle(at: now.instant, settings: settings)
        let isOld = memoryKeptAt.map { now.instant - $0 >= .seconds(60) } ?? true
        if isNew || worth != progress.worth || isOld && budget.isWorthKeeping(settings: settings) {
            keepMemory(now: now)
        }
    }

    /// It answers well. An open incident wants as many good answers as a validation.
    private mutating func cameBack(now: Moment) {
        if incident != nil {
            guard probes.goodInRow >= settings.goodProbesToValidate else { return enter(.suspecting, now: now) }
            closeIncident(.recoveredAlone, now: now)
        }
        budget.healthBegan(at: now.instant)
        guard state.condition != .watching else { return }
        refusals = []
        enter(.watching, now: now)
    }

    /// A probe that had timed out was answered after all: the loop turns, only slowly.
    private mutating func answeredLate(now: Moment) {
        silenceEnded()
        switch state {
        case .collectingEvidence(let plan), .backingOff(let plan), .waitingForTurn(let plan), .halfOpen(let plan):
            guard plan.ending == .kill, !plan.isAsked else { return }
            endAction(.collectEvidence, .abandoned, detail: "it answered", now: now)
            endAction(.wait, .abandoned, detail: "it answered", now: now)
            enter(.suspecting, now: now)
        case .suspecting, .saturated: evaluate(now: now)
        case .adopting, .warming, .watching, .confirming, .waitingForHost, .judgingDeath, .draining, .terminating,
            .killing, .starting, .validating, .held, .operatorActing, .operatorStopped, .hostStopping:
            break
        }
    }

    /// The late probe has been open for long enough.
    mutating func patienceOver() {
        if let id = probes.giveUpLate() { emit(.abandonProbe(id)) }
    }

    /// Something was answered, if late: the service is not silent.
    private mutating func silenceEnded() {
        unansweredSince = nil
        cancel(.despair)
    }

    /// Nothing was answered for as long as the settings bear.
    mutating func despaired(now: Moment) {
        guard let since = unansweredSince else { return }
        set(.despair, after: settings.livelockedAfter, now: now)
        switch state {
        case .suspecting, .saturated: break
        case .adopting, .warming, .watching, .confirming, .waitingForHost, .judgingDeath, .backingOff, .waitingForTurn,
            .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            return
        }
        if let lastServed, lastServed > since {
            unansweredSince = lastServed
            return decide(.saturated, ClassNumbers(), now: now)
        }
        var numbers = progress.troubleNumbers
        numbers.unansweredMs = (now.instant - since).milliseconds
        decide(progress.classAfterPatience, numbers, now: now)
    }

    // MARK: Counters

    private mutating func sampleProgress(of process: ProcessIdentity) {
        emit(.sampleProgress(process, withQueue: incident != nil || state.looksClosely))
    }

    mutating func progressSampled(_ sample: ProgressSample, now: Moment) {
        guard sample.process == process else { return }
        if "ZX".contains(sample.state) && sample.threads <= 1 {
            return processExited(sample.process, now: now)
        }
        progress.sampled(sample)
        let isStopped = sample.state == "T" && sample.tracerPid == 0
        switch state {
        case .warming, .watching, .suspecting, .saturated:
            if isStopped {
                enter(.confirming, for: .seconds(2), now: now)
                set(.look, after: Self.stopConfirmation, now: now)
                return
            }
        case .confirming:
            if !isStopped { return enter(.suspecting, now: now) }
            if now.instant - stateSince.instant >= Self.stopConfirmation {
                var numbers = progress.troubleNumbers
                numbers.processState = "T"
                decide(.stopped, numbers, now: now)
            }
            return
        case .adopting, .waitingForHost, .judgingDeath, .backingOff, .waitingForTurn, .collectingEvidence, .draining,
            .terminating, .killing, .starting, .validating, .halfOpen, .held, .operatorActing, .operatorStopped,
            .hostStopping:
            break
        }
        evaluate(now: now)
    }

    /// Draws the conclusion from what is known now.
    mutating func evaluate(now: Moment) {
        switch state {
        case .suspecting, .saturated: break
        case .adopting, .warming, .watching, .confirming, .waitingForHost, .judgingDeath, .backingOff, .waitingForTurn,
            .collectingEvidence, .draining, .terminating, .killing, .starting, .validating, .halfOpen, .held,
            .operatorActing, .operatorStopped, .hostStopping:
            return
        }
        guard process != nil else { return }
        if let probe = probes.oldest, now.instant - probe.sent.instant >= probeTimeout {
            // Whatever the main thread seems to do: while requests are served it is no wedge.
            let signs = [probe.sent.instant, lastGood?.instant, lastHeartbeat?.instant, lastServed].compactMap { $0 }
            let since = signs.max() ?? probe.sent.instant
            if let (kind, figures) = progress.wedge(since: since, timeout: probeTimeout, rest: restWindows) {
                var numbers = figures
                numbers.unansweredMs = (now.instant - probe.sent.instant).milliseconds
                return decide(kind, numbers, now: now)
            }
            if let latest = progress.latest, latest.tracerPid != 0 {
                refuse(.debugged, detail: "process \(latest.tracerPid) traces it", now: now)
            }
        }
        // What sheds load answers 503 in time, and serves all the same.
        if probes.wrong >= settings.failureThreshold, !(state.condition == .saturated && serves(now: now)) {
            decide(.failing, progress.troubleNumbers, now: now)
        } else if probes.unanswered >= settings.failureThreshold, serves(now: now) {
            decide(.saturated, progress.troubleNumbers, now: now)
        }
    }

    /// Whether requests were served lately, if late.
    private func serves(now: Moment) -> Bool {
        if let answer = probes.lastLateAnswer, now.instant - answer.at <= settings.livelockedAfter { return true }
        if let lastServed, now.instant - lastServed <= Self.servedCounts { return true }
        return false
    }

    mutating func servedRequestsSeen(_ total: Int64, now: Moment) {
        // When in between it grew is not known: at the earliest just after the report before, which may be of yesterday.
        if let before = served, total > before.total { lastServed = before.at }
        served = Served(total: total, at: now.instant)
    }

    // MARK: Limits

    mutating func resourcesDue(now: Moment) {
        guard let process else { return }
        emit(.sampleResources(process))
        let hasLimits = settings.memoryLimit != nil || settings.cpuLimit != nil || settings.filesLimit != nil
        set(.resources, after: hasLimits ? .seconds(5) : .seconds(30), now: now)
    }

    mutating func resourcesSampled(_ sample: ResourceSample, now: Moment) {
        guard sample.process == process else { return }
        for finding in limits.sampled(sample, settings: settings) {
            switch finding {
            case .soft(let resource, let limit, let measured):
                emit(
                    .announce(
                        .limitWarned(
                            LimitWarned(
                                service: service, limit: resource.rawValue, limitValue: limit, measured: measured))))
            case .hard(let resource, let limit, let measured, .warn):
                page("\(resource.rawValue) is over its limit: \(measured) of \(limit)", .warning, now: now)
            case .hard(let resource, let limit, let measured, .restart):
                guard state.condition == .watching || state.condition == .suspecting else { break }
                var numbers = ClassNumbers()
                numbers.limit = resource.rawValue
                numbers.limitValue = limit
                numbers.measured = measured
                decide(.overLimit, numbers, now: now)
            }
        }
    }

    // MARK: The host

    /// The host lacks CPU, or has enough again.
    mutating func hostStarved(_ starved: Bool, detail: String, now: Moment) {
        starvation = starved ? detail : nil
        if !starved, case .waitingForHost = state { lookAnew(now: now) }
    }

    /// watchdogd was held up: what is under way says nothing.
    mutating func ownDelaySeen(now: Moment) {
        for id in probes.void() { emit(.abandonProbe(id)) }
        cancel(.deadline)
        cancel(.patience)
        silenceEnded()
        progress.forget()
        if case .confirming = state { enter(.suspecting, now: now) }
    }

    /// What was seen may not hold any more: everything is looked at anew.
    mutating func lookAnew(now: Moment) {
        let silence = unansweredSince
        ownDelaySeen(now: now)
        if let silence {
            // What was silent for long before need not be borne for as long again.
            unansweredSince = silence
            let left = settings.livelockedAfter - (now.instant - silence)
            set(.despair, after: max(left, Self.secondThoughts), now: now)
        }
        probes.forgetVerdicts()
        progress.troubleBegan()
        enter(.suspecting, now: now)
        set(.look, after: secondWindow / 2, now: now)
        set(.probe, after: .zero, now: now)
    }

    mutating func dependenciesSeen(_ down: [String]) {
        if !dependenciesDown.isEmpty && down.isEmpty {
            // It gets the chance to recover by itself before it is judged again.
            probes.forgetVerdicts()
            refusals.removeAll { $0.reason == .dependencyDown }
        }
        dependenciesDown = down.sorted()
    }
}
