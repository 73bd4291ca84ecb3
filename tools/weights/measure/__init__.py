"""What the weights that ship are worth: one module a question, each writes JSON and a Markdown table.

Run by ``python tools/weights/measure_all.py BUNDLE --out FOLDER``. The card is built from the JSON files alone.
"""
