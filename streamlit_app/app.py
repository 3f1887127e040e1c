"""The page's entry: `streamlit run streamlit_app/app.py` beside a running API (MEDFLOW_API_URL)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from streamlit_app import ask_page, pipeline_page
from streamlit_app.client import Api
from streamlit_app.settings import Settings, settings_from

_ICON = str(Path(__file__).with_name("icon.png"))  # an icon by name would come from the internet
_ABOUT = "MedFlow: claim files in, verified tables out, and questions answered in plain words."


@st.cache_resource
def opened() -> tuple[Settings, Api]:
    """The settings and the client, one for all readers."""
    settings = settings_from()
    return settings, Api(settings.api_url)


def main() -> None:
    """Both pages below one head."""
    st.set_page_config(page_title="MedFlow", page_icon=_ICON, layout="wide", menu_items={"About": _ABOUT})
    settings, api = opened()
    ask = st.Page(lambda: ask_page.show(api), title="Ask", icon=":material/chat:", url_path="ask", default=True)
    pipeline = st.Page(lambda: pipeline_page.show(api, settings), title="Pipeline", icon=":material/account_tree:", url_path="pipeline")
    st.navigation([ask, pipeline], position="top").run()


if __name__ == "__main__":
    main()
