"""OANDA v20: forex and CFDs. ``reader.py`` recognises an answer, the modules beneath it read one part each."""
