/// Why bytes were not what the wire takes. It always names the place, so that whoever wrote them can mend them.
package struct WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where: a byte offset in the frame (`byte 17`), or a path in the message (`params.limits[2].maximum`).
    package var place: String
    /// What was wrong there, as "expected …, found …".
    package var problem: String

    package init(place: String, problem: String) {
        self.place = place
        self.problem = problem
    }

    /// The error of a value of the wrong kind; the place is filled in on the way up.
    package static func expected(_ wanted: String, found json: JSON) -> WireError {
        WireError(place: "", problem: "expected \(wanted), found \(json.kind)")
    }

    /// The same error with the place named from outside: `params` and then the path.
    package func placed(in outer: String) -> WireError { within(outer) }

    /// The same error, one member further out.
    func within(_ outer: String) -> WireError {
        let inner = place.isEmpty || place.hasPrefix("[") ? place : ".\(place)"
        return WireError(place: outer + inner, problem: problem)
    }

    package var description: String { place.isEmpty ? problem : "\(place): \(problem)" }
}
