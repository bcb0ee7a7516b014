@rem Shared by run.bat and run-tensorboard.bat. Afterwards PYTHON is the environment's Python, and it has what the studio needs.
@set "HERE=%~dp0"
@if not defined TIMBRE_VENV set "TIMBRE_VENV=%HERE%.venv"
@set "PYTHON=%TIMBRE_VENV%\Scripts\python.exe"
@set "PYTHONUTF8=1"
@rem Without stored bytecode every start compiles all of torch and gradio again.
@set "PYTHONDONTWRITEBYTECODE="
@rem rvc is found from any working directory, also by workers.
@if defined PYTHONPATH (set "PYTHONPATH=%HERE:~0,-1%;%PYTHONPATH%") else (set "PYTHONPATH=%HERE:~0,-1%")
@if not defined GRADIO_ANALYTICS_ENABLED set "GRADIO_ANALYTICS_ENABLED=False"
@rem The package index's PyTorch for Windows runs on the CPU only. auto lets uv look which graphics card is there and take the build
@rem for it. Where uv is missing, install.py puts it into the environment first: pip cannot choose.
@if not defined TIMBRE_TORCH_BACKEND set "TIMBRE_TORCH_BACKEND=auto"
@if exist "%PYTHON%" (
    "%PYTHON%" -I "%HERE%install.py" --check 2>nul && exit /b 0
)
@set "BASE="
@for %%P in ("py -3.12" "py -3.11" "py -3.13" "python") do @(
    if not defined BASE %%~P -c "import sys; sys.exit(not ((3, 11) <= sys.version_info[:2] <= (3, 13) and sys.maxsize > 2**32))" >nul 2>nul && set "BASE=%%~P"
)
@if not defined BASE (
    echo timbre: Python 3.11, 3.12 or 3.13 ^(64 bits^) was not found. Install one, for instance: winget install Python.Python.3.12 1>&2
    exit /b 1
)
@%BASE% -I "%HERE%install.py"
@exit /b %errorlevel%
