import Glibc

/// The project's own files.
struct ProjectFolder {
    let root: String

    /// Every Swift file under Sources and Tests, in the order of paths.
    func swiftFiles() -> [SwiftSource] {
        ["Sources", "Tests"].flatMap { files(under: $0) }.filter { $0.hasSuffix(".swift") }
            .compactMap { path in text(path).map { SwiftSource(path: path, text: $0) } }
    }

    /// The text of a file, by its path from the root; nil where there is none.
    func text(_ path: String) -> String? {
        guard let file = fopen("\(root)/\(path)", "r") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 65_536)
        while case let count = fread(&block, 1, block.count, file), count > 0 { bytes += block[..<count] }
        return String(decoding: bytes, as: UTF8.self)
    }

    func exists(_ path: String) -> Bool {
        access("\(root)/\(path)", F_OK) == 0
    }

    /// Every regular file under `folder`, by its path from the root, in order; links are not followed.
    func files(under folder: String) -> [String] {
        guard let handle = opendir("\(root)/\(folder)") else { return [] }
        defer { closedir(handle) }
        var found: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") || name == "node_modules" { continue }
            let path = "\(folder)/\(name)"
            var status = stat()
            guard lstat("\(root)/\(path)", &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR { found += files(under: path) }
            if status.st_mode & S_IFMT == S_IFREG { found.append(path) }
        }
        return found.sorted()
    }

    /// Everything that breaks a rule.
    func violations() -> [Violation] {
        swiftFiles().flatMap { source in Rule.all.flatMap { $0.check(source) } } + documentViolations()
    }

    private func documentViolations() -> [Violation] {
        var found: [Violation] = []
        if let catalogue = text("systemd/mainstay.catalog") {
            found += Catalogue.violations(catalogue, sources: swiftFiles().filter { $0.isIn("Sources") })
        }
        if let page = text("ACCEPTANCE.md") { found += Acceptance.violations(page, exists: exists) }
        if let page = text("README.md") {
            found += Figures.violations(page, report: { text("Tests/Reports/\($0).json") })
        }
        return found
    }
}

#if RULES_PROGRAM
    /// The rules as a program of their own, for Scripts/check: `rules FOLDER` prints what breaks a rule and exits 1 if anything does.
    @main struct RulesProgram {
        static func main() {
            guard CommandLine.arguments.count == 2 else { exit(64) }
            let violations = ProjectFolder(root: CommandLine.arguments[1]).violations()
            for violation in violations { print(violation) }
            exit(violations.isEmpty ? 0 : 1)
        }
    }
#endif
