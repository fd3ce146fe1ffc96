from bench.report import main


def test_the_page_and_its_plots_say_what_the_results_say(capsys):
    assert main(["--check"]) == 0, f"run `python -m bench.report`: {capsys.readouterr().out}"
