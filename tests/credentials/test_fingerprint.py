from claude_proxy.credentials.fingerprint import fingerprint


def test_it_changes_when_a_file_is_made_written_replaced_and_removed(tmp_path):
    file, other = tmp_path / "file", tmp_path / "other"
    seen = [fingerprint(file)]
    file.write_text("one")
    seen.append(fingerprint(file))
    file.write_text("longer")
    seen.append(fingerprint(file))
    other.write_text("longer")
    other.replace(file)
    seen.append(fingerprint(file))
    file.unlink()
    assert len(set(seen)) == 4
    assert fingerprint(file) == seen[0]


def test_it_follows_a_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("one")
    link.symlink_to(target)
    before = fingerprint(link)
    target.write_text("changed")
    assert fingerprint(link) != before


def test_it_covers_each_of_several_files(tmp_path):
    files = [tmp_path / "one", tmp_path / "two"]
    before = fingerprint(*files)
    files[1].touch()
    assert fingerprint(*files) != before
