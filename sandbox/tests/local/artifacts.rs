//! What a job leaves behind, kindly or not.

use shopfloor_domain::sandbox::Ending;

use crate::kit::*;

#[tokio::test]
async fn files_in_folders_are_collected() {
    let source = "import os, pathlib\nos.makedirs('artifacts/a/b')\n\
                  pathlib.Path('artifacts/a/b/1.txt').write_bytes(b'\\x00\\xff')\n\
                  pathlib.Path('artifacts/empty').touch()\npathlib.Path('other').write_text('not collected')";
    let outcome = run(python(source)).await;
    let names: Vec<&str> = outcome.artifacts.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a/b/1.txt", "empty"], "{outcome:#?}");
    assert_eq!(&outcome.artifacts[0].bytes[..], b"\x00\xff");
}

#[tokio::test]
async fn a_job_that_failed_or_was_stopped_leaves_its_artifacts_too() {
    let write = "open('artifacts/x', 'w').write('1')\n";
    let failed = run(python(&format!("{write}1 / 0"))).await;
    assert_eq!((failed.ending, failed.artifacts.len()), (Ending::UserError, 1));
    let stopped =
        limited(&format!("{write}while True: pass"), |limits| limits.wall = std::time::Duration::from_secs(1));
    let stopped = run(stopped).await;
    assert_eq!((stopped.ending, stopped.artifacts.len()), (Ending::TimedOut, 1));
}

#[tokio::test]
async fn hostile_artifacts_are_refused() {
    let hostile = [
        ("os.symlink('/etc/passwd', 'artifacts/x')", "symbolic link"),
        ("os.symlink('/', 'artifacts/x')", "symbolic link"),
        ("os.mkfifo('artifacts/x')", "neither a file nor a folder"),
        ("socket.socket(socket.AF_UNIX).bind('artifacts/x')", "neither a file nor a folder"),
        ("open('x', 'w').close(); os.link('x', 'artifacts/x')", "hard link"),
        ("os.rmdir('artifacts'); os.symlink('/etc', 'artifacts')", "no longer a folder"),
        ("open('artifacts/x', 'w').truncate(200 << 20)", "bytes"),
        ("[open(f'artifacts/{n}', 'w').truncate(60 << 20) for n in range(2)]", "bytes"),
        ("[open(f'artifacts/{n}', 'w').close() for n in range(65)]", "more than 64 files"),
        ("[os.mkdir(f'artifacts/{n}') for n in range(300)]", "folders"),
        ("os.makedirs('artifacts' + '/d' * 20)", "folders"),
        ("open('artifacts/' + 'x' * 250, 'w').close()", "more than 200 bytes"),
    ];
    for (act, problem) in hostile {
        let outcome = run(python(&format!("import os, socket\n{act}\nprint('done')"))).await;
        assert_eq!((outcome.ending, outcome.stdout.as_str()), (Ending::ArtifactLimit, "done\n"), "{act}: {outcome:#?}");
        assert!(outcome.artifacts.is_empty(), "{act}");
        assert!(outcome.detail.as_deref().unwrap().contains(problem), "{act}: {:?}", outcome.detail);
    }
}

#[tokio::test]
async fn odd_names_are_cleaned_and_closed_files_opened() {
    let source = "import os\n\
                  open(b'artifacts/a\\n\\x1b[2J\\\\\\xff', 'w').write('1')\n\
                  os.mkdir('artifacts/d'); open('artifacts/d/y', 'w').write('2')\n\
                  os.chmod('artifacts/d/y', 0); os.chmod('artifacts/d', 0); os.chmod('artifacts', 0)";
    let outcome = run(python(source)).await;
    assert_eq!(outcome.ending, Ending::Ok, "{outcome:#?}");
    let names: Vec<&str> = outcome.artifacts.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["a__[2J__", "d/y"]);
    let gone = run(python("import os; os.rmdir('artifacts')")).await;
    assert_eq!((gone.ending, gone.artifacts.len()), (Ending::Ok, 0));
}

#[tokio::test]
async fn a_daemon_cannot_change_artifacts_after_the_end() {
    let source = "import os, sys\n\
                  if os.fork():\n    open('artifacts/x', 'w').write('main'); sys.exit()\n\
                  os.setsid()\nif os.fork(): os._exit(0)\n\
                  while True:\n    open('artifacts/y', 'w').write('daemon' * 1000)";
    let outcome = run(python(source)).await;
    assert_eq!(outcome.ending, Ending::Ok, "{outcome:#?}");
    assert_eq!(outcome.artifacts.iter().find(|it| it.name == "x").unwrap().bytes, "main");
}
