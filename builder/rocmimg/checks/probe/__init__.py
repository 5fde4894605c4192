"""What looks at an image from the inside: standard library only, Python 3.8 or later; nothing here judges, checks do.

The host hands this folder to the image's own interpreter on the command line (``rocmimg.checks.run_probe``), where it
runs isolated (``-I -S``): no start-up file, no module of the image can upset it. What users' processes would meet is
asked of child processes with a limit each. Where the image has no usable Python, the same readers go over the image's
exported file system on the host, and only what needs a running Python is missing.

The answer, format 2: one JSON object. A section that could not be filled is ``{"error": text}``; the others stand.

``probe``: format; where ("image" or "export"); python and version of the interpreter that ran it; kind ("" or
    "no-python", "old-python", "broken-python": why it did not run inside); error (that in words)
``error``: only where the probe did not run inside: the same words as ``probe.error``
``startup``: what ``python -c pass`` does: command, seconds, exit, stdout, stderr (the beginning of each), error ("" or
    a sentence: prints, ends, hangs, writes without end), start_files ([{path, lines}]: .pth files that run code,
    sitecustomize, usercustomize), shadowed ([{module, path}]: files before the standard library with a name of it)
``interpreter``: version, executable, prefix, site, path, chosen_by ("images.yaml", "entry point", "PATH"), markers
    (packaging's environment of this interpreter), entry (the entry point's interpreter, "" if it is no Python program)
``entry``: argv; path (what argv[0] is on PATH, "" if nothing); chain ([{path, kind}]: script, interpreter, program);
    problem ("" or a sentence: not found, not executable, a folder the user may not enter, no such interpreter);
    missing ([{library, needed_by}]); python ("" or path); module and attribute (console script or ``-m``);
    import ({error, trace, seconds}; only with the import tier)
``files``:
    bytes, count: regular files, hard links once; ``bytes`` against the sum of the layers is what later layers hide
    leftovers: [{kind, bytes, paths}]; locks: [path]; amdgpu_ids: {path: text}; rdma_providers: [{path, name, abi}]
    objects: every ELF file, and every file of GPU code: {path, bytes, owner, package, kind, archs, ...}
        kind: "shared object", "program", "code object" (GPU code in a file of its own)
        owner: component, import name, opt/NAME or system; package: dpkg's, rpm's or apk's that lists the file, else ""
        archs: {arch: bytes}, arch as gfx942, gfx9-4-generic, amdgcnspirv, "unknown (0x..)"
        targets: {target: bytes} with features where there are any: gfx90a:sramecc+:xnack-
        outside: bytes of GPU code beyond .hip_fatbin (only if there are any); compressed: true (only if so);
            kpack: true: its code lies in a kernel pack (only if so)
        soname, needed, rpath, runpath, versions_needed, build_id, interpreter (of programs)
        unresolved: [name]: needed, and not found the loader's way (RPATH of the object, LD_LIBRARY_PATH, RUNPATH,
            ld.so.cache, the loader's own folders); for libraries of Python packages ``loads`` says more
        elsewhere: {name: [path]}: of those, where the image has a file of that name (only if it has one)
        versions_missing: [{version, library, path}]: the library that is found the loader's way has no such version
        versions_defined, pybind11, amdgpu_ids, amdgpu_names: where checks ask for them
    unread: [{path, bytes, kind, archs, why}]: GPU code that is known to be there and was not read (archives of
        kernels); archs: by its name or folder, may be []
    unreadable: [{path, error}]: ELF files or GPU code that are damaged or cut off
    blas: [{library, name, path, folders}]: each librocblas.so and libhipblaslt.so; name "rocblas" or "hipblaslt";
        folders: [{path, layout, archs, files}] wherever that copy looks; layout "flat", "arch" or "versioned"
    tensile: {folder: [arch]}: every kernel folder of either in the image, found by its name
    loader: {cache: entries in ld.so.cache, configured: [folder of ld.so.conf], stale: [configured, not in the cache]}
    managers: ["dpkg", ...]: whose file lists were read
``git``: component -> head and tag of its checkout
``surroundings``: env, interactive, login, etc_environment, uid, groups, known_groups, user, writable, kfd
``distributions``: [{name, version, path, metadata, requires, requires_written, requires_python, broken_header,
    packages, checkout, scripts ({name: "module:attribute"}), installer}]
``broken_metadata``: [{path, error}]: METADATA, direct_url.json or RECORD that cannot be read; the rest is judged
``overwritten``: files of Triton that are not what a record says
``origins``: [{cwd, own_env, modules: {name: {origin, locations, error}}}]
``imports``: module -> {error, trace, file, version, missing, seconds, [hip, cuda]}; torch, torchvision, torchaudio and
    amdsmi in one process, each component in a process of its own
``maps``: [[path, inode]] after torch and its family and amdsmi; ``meets``: component -> the same for ROCm's libraries,
    after torch and then the component were imported in one process; ``entry`` has that of its module, too
``loads``: [{path, error, [skipped]}]: each library of Python packages and of components, loaded after torch in a child;
    skipped: why it was not tried
``seconds``: section -> seconds
"""

FORMAT = 2
