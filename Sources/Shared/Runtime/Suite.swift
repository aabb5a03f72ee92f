import Glibc

/// The suite as a whole.
package enum Suite {
    /// Every daemon and the command carry one version.
    package static let version = "0.1.0"
    static let pid = getpid()
}
