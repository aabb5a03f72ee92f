import Glibc
import SimulationKit
import Time

// simulate --hours H --seed N [--seeds COUNT] [--trace]: runs whole worlds and says what they came to. Exit status 1 where
// an invariant was broken.

var hours = 48
var seed: UInt64 = 1
var count: UInt64 = 1
var traces = false
var arguments = CommandLine.arguments.dropFirst()
while let word = arguments.popFirst() {
    switch word {
    case "--hours": hours = arguments.popFirst().flatMap { Int($0) } ?? hours
    case "--seed": seed = arguments.popFirst().flatMap { UInt64($0) } ?? seed
    case "--seeds": count = arguments.popFirst().flatMap { UInt64($0) } ?? count
    case "--trace": traces = true
    default: fatalError("usage: simulate [--hours H] [--seed N] [--seeds COUNT] [--trace]")
    }
}
var broken = 0
for number in seed..<(seed + count) {
    let simulation = Simulation(seed: number)
    if traces { simulation.onLine = { print($0) } }
    let report = simulation.run(hours: hours)
    print(report.line)
    for violation in report.violations { print("  broken: \(violation)") }
    if !report.violations.isEmpty { broken += 1 }
}
exit(broken == 0 ? 0 : 1)
