import Files
import Foundation
import Glibc
import Testing

@Suite struct FilesTests {
    /// A folder for one test, removed at the end.
    struct Folder: ~Copyable {
        let path = "/tmp/mainstay-files-\(UUID().uuidString.prefix(8))"

        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ text: String, to name: String) throws {
            try Data(text.utf8).write(to: URL(filePath: "\(path)/\(name)"))
        }
    }

    @Test func `a kept file is read anew from its start each time`() throws {
        let folder = try Folder()
        try folder.write("one", to: "file")
        let file = ProcFile("\(folder.path)/file")
        let buffer = ReadBuffer()
        #expect(file.read(into: buffer))
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == "one")
        let handle = try #require(FileHandle(forWritingAtPath: "\(folder.path)/file"))
        try handle.write(contentsOf: Data("three".utf8))
        #expect(file.read(into: buffer))
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == "three")
        var bytes = [UInt8](repeating: 0, count: 3)
        #expect(file.read(into: &bytes).map(Array.init) == Array("thr".utf8), "as far as the array holds it")
    }

    @Test func `the buffer grows to the largest file`() throws {
        let folder = try Folder()
        let long = String(repeating: "0123456789", count: 10_000)
        try folder.write(long, to: "long")
        let buffer = ReadBuffer()
        #expect(ProcFile("\(folder.path)/long").read(into: buffer))
        #expect(buffer.count == long.utf8.count)
        #expect(String(decoding: buffer.bytes, as: UTF8.self) == long)
    }

    @Test func `a file that comes later is found by the next read, one that was opened once is not looked for again`()
        throws
    {
        let folder = try Folder()
        let buffer = ReadBuffer()
        let later = ProcFile("\(folder.path)/later")
        #expect(!later.read(into: buffer))
        #expect(ProcFile(onceOpened: "\(folder.path)/later") == nil)
        try folder.write("here", to: "later")
        #expect(later.read(into: buffer))
        #expect(buffer.count == 4)
    }

    @Test func `a file of a process that has ended reads as nothing, again and again`() throws {
        let child = try start("/bin/sleep", "100")
        let once = try #require(ProcFile(onceOpened: "/proc/\(child)/stat"))
        let buffer = ReadBuffer()
        var bytes = [UInt8](repeating: 0, count: 1024)
        #expect(once.read(into: buffer) && buffer.count > 0)
        #expect(once.read(into: &bytes)?.isEmpty == false)
        kill(child, SIGKILL)
        var status: CInt = 0
        waitpid(child, &status, 0)
        #expect(!once.read(into: buffer))
        #expect(once.read(into: &bytes) == nil)
    }

    @Test func `contents stop at their limit, and what is missing is nil`() throws {
        let folder = try Folder()
        try folder.write("first\nsecond\n", to: "file")
        let path = "\(folder.path)/file"
        #expect(Contents.ofFile(path) == Array("first\nsecond\n".utf8))
        #expect(Contents.ofFile(path, limit: 7) == Array("first\ns".utf8))
        #expect(Contents.firstLine(path) == "first")
        for missing in ["\(path).none", "\(folder.path)/none/file"] {
            #expect(Contents.ofFile(missing) == nil)
            #expect(Contents.firstLine(missing) == nil)
            #expect(Contents.ofFolder(missing) == nil)
            #expect(Contents.ofFolder(onlyFolders: missing) == nil)
            #expect(Contents.ofLink(missing) == nil)
        }
        #expect(Contents.ofFile(folder.path) == nil, "a folder is no file")
        #expect(Contents.ofFolder(path) == nil, "a file is no folder")
    }

    @Test func `a folder's names come without the dots, a link tells where it points`() throws {
        let folder = try Folder()
        try folder.write("", to: "file")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link", withDestinationPath: "nowhere/at all")
        #expect(Contents.ofFolder(onlyFolders: folder.path)?.isEmpty == true)
        try FileManager.default.createDirectory(atPath: "\(folder.path)/inner", withIntermediateDirectories: false)
        #expect(Contents.ofFolder(folder.path).map(Set.init) == ["file", "inner", "link"])
        #expect(Contents.ofFolder(folder.path, limit: 2)?.count == 2)
        #expect(Contents.ofFolder(onlyFolders: folder.path) == ["inner"])
        #expect(Contents.ofLink("\(folder.path)/link") == "nowhere/at all")
        #expect(Contents.ofLink("\(folder.path)/file") == nil)
    }
}
