import Glibc
import SimulationKit

// simulate [--hours H] [--seed N] [--seeds COUNT] [--trace]: runs whole worlds and says what they came to; exit status 1 where
// an invariant was broken.
var numbers: [String: UInt64] = ["--hours": 48, "--seed": 1, "--seeds": 1]
var isTraced = false
var words = CommandLine.arguments.dropFirst()
while let word = words.popFirst() {
    if word == "--trace" {
        isTraced = true
    } else if numbers[word] != nil, let value = words.popFirst().flatMap({ UInt64($0) }) {
        numbers[word] = value
    } else {
        print("usage: simulate [--hours H] [--seed N] [--seeds COUNT] [--trace]")
        exit(64)
    }
}
let first = numbers["--seed", default: 1]
var isBroken = false
for seed in first..<first + numbers["--seeds", default: 1] {
    let report = Simulation.play(seed: seed, hours: Int(numbers["--hours", default: 48])) { if isTraced { print($0) } }
    print(report)
    isBroken = isBroken || report.contains("broken")
}
exit(isBroken ? 1 : 0)
